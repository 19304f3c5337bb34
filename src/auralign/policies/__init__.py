"""Generators that can be aligned: a codec trained in seconds and a language model of its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auralign.lazy import importer

if TYPE_CHECKING:
    from auralign.policies.codec import KMeansCodec, fit_kmeans_codec, reconstruction_error
    from auralign.policies.language_model import CodecLanguageModel, PromptVocabulary
    from auralign.policies.opening import open_policy, save_policy
    from auralign.policies.transformer import CodecTransformer, TransformerConfig, new_transformer

_MODULES = {
    "CodecLanguageModel": "language_model",
    "CodecTransformer": "transformer",
    "KMeansCodec": "codec",
    "PromptVocabulary": "language_model",
    "TransformerConfig": "transformer",
    "fit_kmeans_codec": "codec",
    "new_transformer": "transformer",
    "open_policy": "opening",
    "reconstruction_error": "codec",
    "save_policy": "opening",
}
"""Where each name lives. Who opens a policy does not wait for what a codec is fitted with."""

__all__ = [
    "CodecLanguageModel",
    "CodecTransformer",
    "KMeansCodec",
    "PromptVocabulary",
    "TransformerConfig",
    "fit_kmeans_codec",
    "new_transformer",
    "open_policy",
    "reconstruction_error",
    "save_policy",
]

__getattr__ = importer(__name__, _MODULES)
