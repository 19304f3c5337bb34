"""Candidates for prompts, what they scored, and which of them are handed out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.types import Prompt, Rollout, Tokens

if TYPE_CHECKING:
    import torch

Float = NDArray[np.float64]
Index = NDArray[np.int64]

Reward = Callable[[Sequence[Prompt], Sequence[Tokens]], Float]
"""Scores of clips for their prompts, `[clips]`: higher is better, NaN where there is no score."""

Judge = Callable[[Sequence[Prompt], Sequence[Tokens], Sequence[Tokens]], Float]
"""Probabilities `[pairs]` that the first clip of each pair is preferred to the second."""

NOBODY = -1


class Sampler(Protocol):
    """What is asked of a policy: `ModelPolicy` and all of its kinds offer it."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> Rollout: ...


@dataclass(frozen=True, eq=False)
class Candidates:
    """Clips that may be handed out, of all prompts together.

    prompt_index   int64 [clips], which prompt each is for
    tokens         their codes, each [codebook, time]
    terminated     bool [clips], whether each ended itself
    """

    prompt_index: Index
    tokens: list[Tokens]
    terminated: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """The clips of all parts, one part after the other."""
        return cls(
            np.concatenate([part.prompt_index for part in parts]),
            [clip for part in parts for clip in part.tokens],
            np.concatenate([part.terminated for part in parts]),
        )

    def of_prompt(self, prompt: int) -> Index:
        """Indices of the clips of one prompt, in the order in which they were drawn."""
        return np.flatnonzero(self.prompt_index == prompt)


@dataclass(frozen=True, eq=False)
class Selection:
    """Which candidate each prompt gets.

    scores     float64 [clips], what the method went by; NaN where there is no score
    chosen     int64 [prompts], index of a candidate, or -1 where none is good enough
    excluded   bool [clips], not to be chosen whatever the score: a plan has pruned the clip
    """

    candidates: Candidates
    scores: Float
    chosen: Index
    excluded: NDArray[np.bool_]

    @property
    def clips(self) -> list[Tokens | None]:
        """The clip of each prompt, None where the method abstains."""
        tokens = self.candidates.tokens
        return [None if i == NOBODY else tokens[i] for i in self.chosen.tolist()]

    @property
    def n_drawn(self) -> Index:
        """How many clips were drawn for each prompt, `[prompts]`."""
        return np.bincount(self.candidates.prompt_index, minlength=len(self.chosen))


def draw(
    policy: Sampler,
    prompts: Sequence[Prompt],
    n: int,
    *,
    generator: torch.Generator,
    temperature: float,
) -> Candidates:
    """`n` clips for each prompt, prompt by prompt. Raises ConfigError for n below 1."""
    require_positive(n=n)
    rollout = policy.sample(prompts, n, generator=generator, temperature=temperature)
    return Candidates(rollout.prompt_index, rollout.tokens, rollout.terminated)


def score(reward: Reward, prompts: Sequence[Prompt], candidates: Candidates) -> Float:
    """What the reward says of each candidate, `[clips]`.

    Raises DataError for a reward that returns anything but one number or NaN for each clip.
    """
    asked = [prompts[i] for i in candidates.prompt_index.tolist()]
    scores = np.asarray(reward(asked, candidates.tokens), dtype=np.float64)
    if scores.shape != (len(asked),) or np.isinf(scores).any():
        raise DataError(
            f"expected one finite score or NaN for each of {len(asked)} clips, got shape "
            f"{scores.shape} with {np.isinf(scores).sum()} infinite ones: correct the reward"
        )
    return scores


def best_scored(
    prompts: Sequence[Prompt], candidates: Candidates, scores: Float, excluded: NDArray[np.bool_]
) -> Index:
    """Index of the highest score of each prompt, the first of equal ones, -1 where there is none.

    Clips without a score and those that are excluded count nothing.
    """
    chosen = np.full(len(prompts), NOBODY)
    eligible = ~(excluded | np.isnan(scores))
    for prompt in range(len(prompts)):
        rows = candidates.of_prompt(prompt)
        rows = rows[eligible[rows]]
        if len(rows):
            chosen[prompt] = rows[scores[rows].argmax()]
    return chosen


def choose(
    prompts: Sequence[Prompt],
    candidates: Candidates,
    scores: Float,
    *,
    excluded: NDArray[np.bool_] | None = None,
) -> Selection:
    """The best scored candidate of each prompt.

    Raises DataError, naming the first such prompt, where no candidate of a prompt has a score.
    """
    out = np.zeros(len(scores), dtype=np.bool_) if excluded is None else excluded
    chosen = best_scored(prompts, candidates, scores, out)
    for i in np.flatnonzero(chosen == NOBODY)[:1]:
        raise DataError(
            f"prompt '{prompts[i].id}': expected a score for one of its "
            f"{len(candidates.of_prompt(i))} candidates, got none: ask the reward about one of "
            "them by itself to see why"
        )
    return Selection(candidates, scores, chosen, out)


def require_positive(**values: int) -> None:
    """Raise ConfigError, naming it, for a number below 1."""
    for name, value in values.items():
        if value < 1:
            raise ConfigError(f"{name}: expected at least 1, got {value}")
