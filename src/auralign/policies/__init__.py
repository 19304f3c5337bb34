"""Generators that can be aligned: a codec trained in seconds and a language model of its codes."""

from auralign.policies.codec import KMeansCodec, fit_kmeans_codec, reconstruction_error
from auralign.policies.language_model import CodecLanguageModel, PromptVocabulary
from auralign.policies.transformer import CodecTransformer, TransformerConfig, new_transformer

__all__ = [
    "CodecLanguageModel",
    "CodecTransformer",
    "KMeansCodec",
    "PromptVocabulary",
    "TransformerConfig",
    "fit_kmeans_codec",
    "new_transformer",
    "reconstruction_error",
]
