"""A language model small enough to be trained in a test."""

from collections.abc import Callable

import pytest
import torch

from auralign.policies import (
    CodecLanguageModel,
    PromptVocabulary,
    TransformerConfig,
    new_transformer,
)
from auralign.types import Prompt


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    return [Prompt("p0", "one", "ann"), Prompt("p1", "two", "ann")]


@pytest.fixture(scope="session")
def make_policy() -> Callable[..., CodecLanguageModel]:
    def make(max_frames: int = 8, seed: int = 0) -> CodecLanguageModel:
        """Two codebooks of four codes."""
        vocabulary = PromptVocabulary(words=("one", "two"), conditions=("ann",), max_words=2)
        config = TransformerConfig(
            n_prompt_tokens=vocabulary.size,
            prompt_length=vocabulary.length,
            n_codebooks=2,
            codebook_size=4,
            max_frames=max_frames,
            width=16,
            depth=1,
            n_heads=2,
        )
        model = new_transformer(config, torch.Generator().manual_seed(seed))
        return CodecLanguageModel(model, vocabulary)

    return make
