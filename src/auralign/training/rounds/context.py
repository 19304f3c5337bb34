"""What a step of a round is given, and the steps as types: any function of the kind will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from auralign.data.examples import TokenPair
from auralign.errors import RunStateError
from auralign.training.rounds.records import Annotation, Candidates, HeldOut, Sampled
from auralign.training.scoring import TrainablePolicy
from auralign.types import Audio, PreferencePair, Prompt, Tokens


class RoundPolicy(TrainablePolicy, Protocol):
    """A policy that rounds can train: `policies.ModelPolicy` and what is made of it."""

    def frozen_copy(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class RoundContext:
    """Where a round stands. Randomness is drawn by purpose, so that each step has its own.

    policy      as it is at this step; training changes it in place
    reference   of training: the policy before round 1, or at the start of this round
    first       the policy before round 1
    folder      of the round; `folder_before` that of the round before, None in round 1
    """

    number: int
    seed: int
    policy: Any
    reference: Any
    first: Any
    folder: Path
    folder_before: Path | None

    def rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng(self._entropy(purpose))

    def seed_of(self, purpose: str) -> int:
        """A seed, 0 or above."""
        state = np.random.SeedSequence(self._entropy(purpose)).generate_state(1, np.uint64)
        return int(state[0] >> 1)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed_of(purpose))

    def _entropy(self, purpose: str) -> list[int]:
        return [self.seed, self.number, *purpose.encode()]


class WaitingForVotes(RunStateError):
    """The round cannot go on before people have answered; everything until here is stored."""


Draw = Callable[[Sequence[Prompt], RoundContext], Sequence[Sampled]]
Annotate = Callable[[Candidates, RoundContext], Annotation]
Curate = Callable[[Candidates, Annotation, RoundContext], Sequence[PreferencePair]]
Train = Callable[[Sequence[TokenPair], RoundContext], Mapping[str, float]]
Evaluate = Callable[[RoundContext], HeldOut]
Decode = Callable[[Sequence[Tokens]], Sequence[Audio]]

Reward = Callable[[Sequence[Prompt], Sequence[Tokens]], NDArray[np.float64]]
"""`[clips]`, higher is better, NaN where a clip cannot be scored."""
Judge = Callable[[Sequence[Prompt], Sequence[Tokens], Sequence[Tokens]], NDArray[np.float64]]
"""`[pairs]`, the probability that the first clip is preferred."""
