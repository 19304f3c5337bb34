"""Language models of a few codes and a few frames, small enough to list every clip."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch

from auralign.policies import (
    CodecLanguageModel,
    PromptVocabulary,
    TransformerConfig,
    new_transformer,
)
from auralign.types import Prompt, Tokens

MakePolicy = Callable[..., CodecLanguageModel]


@pytest.fixture(scope="session")
def vocabulary() -> PromptVocabulary:
    return PromptVocabulary(words=("one", "two"), conditions=("ann", "bob"), max_words=3)


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    return [Prompt("p0", "one two", "ann"), Prompt("p1", "two", "bob")]


@pytest.fixture(scope="session")
def make_policy(vocabulary) -> MakePolicy:
    def make(
        codebook_size: int = 3, n_codebooks: int = 2, max_frames: int = 6, seed: int = 0
    ) -> CodecLanguageModel:
        config = TransformerConfig(
            n_prompt_tokens=vocabulary.size,
            prompt_length=vocabulary.length,
            n_codebooks=n_codebooks,
            codebook_size=codebook_size,
            max_frames=max_frames,
            width=16,
            depth=2,
            n_heads=2,
        )
        model = new_transformer(config, torch.Generator().manual_seed(seed))
        return CodecLanguageModel(model, vocabulary)

    return make


@pytest.fixture(scope="session")
def every_clip() -> Callable[[CodecLanguageModel], list[Tokens]]:
    def clips(policy: CodecLanguageModel) -> list[Tokens]:
        config = policy.model.config
        frames = list(product(range(config.codebook_size), repeat=config.n_codebooks))
        return [
            np.array(clip).T
            for n in range(1, config.max_frames + 1)
            for clip in product(frames, repeat=n)
        ]

    return clips
