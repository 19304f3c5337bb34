"""A policy whose clips can be listed: each code is drawn by itself, each clip has one length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
import torch

from auralign.types import Prompt, Rollout, Tokens


@dataclass
class UrnPolicy:
    """Clips of one codebook and `frames` frames, each code drawn with `probabilities`.

    asked      the prompts of every call of `sample`
    prefixes   all that it went on with, and for which prompt
    """

    probabilities: Sequence[float] = (0.5, 0.5)
    frames: int = 2
    asked: list[list[Prompt]] = field(default_factory=list)
    prefixes: list[tuple[str, Tokens]] = field(default_factory=list)

    def sample(self, prompts, n, *, generator, temperature=1.0):
        index = np.repeat(np.arange(len(prompts)), n)
        self.asked.append([prompts[i] for i in index])
        tokens = self._finish([np.zeros((1, 0), dtype=np.int64)] * len(index), generator)
        ended = np.ones(len(index), dtype=bool)
        return Rollout(index, tokens, ended, np.zeros(len(index)))

    def continue_from(self, prompts, prefixes, temperature, generator):
        self.prefixes += [(p.id, prefix) for p, prefix in zip(prompts, prefixes, strict=True)]
        return self._finish(prefixes, generator), np.ones(len(prefixes), dtype=bool)

    def _finish(self, prefixes: Sequence[Tokens], generator: torch.Generator) -> list[Tokens]:
        weights = torch.tensor(self.probabilities, dtype=torch.float64)
        clips = []
        for prefix in prefixes:
            n = self.frames - prefix.shape[1]
            rest = torch.multinomial(weights, max(n, 1), replacement=True, generator=generator)
            clips.append(np.concatenate([prefix, rest.numpy()[None, :n]], axis=1))
        return clips

    def law(self) -> dict[tuple[int, ...], float]:
        """Every clip with its probability."""
        codes = range(len(self.probabilities))
        return {
            clip: float(np.prod([self.probabilities[c] for c in clip]))
            for clip in product(codes, repeat=self.frames)
        }


@pytest.fixture
def prompts() -> list[Prompt]:
    return [Prompt(f"p{i}", "one") for i in range(3)]


@pytest.fixture
def urn() -> Callable[..., UrnPolicy]:
    return UrnPolicy


@pytest.fixture
def seeded() -> Callable[..., torch.Generator]:
    return lambda seed=0: torch.Generator().manual_seed(seed)


def code_sum(prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> np.ndarray:
    """A reward: the sum of the codes."""
    return np.array([float(clip.sum()) for clip in tokens])


@pytest.fixture
def by_sum() -> Callable[..., np.ndarray]:
    return code_sum
