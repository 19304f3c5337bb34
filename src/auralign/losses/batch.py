"""What objectives see: log-probabilities of clips, by policy and reference, and what was said.

One clip of a batch is one row. Sums run over all scored codes of a clip (all codebooks), in nats.
Records that an objective does not need may be left None; an objective that needs one says so in
its entry of the table, and `require` raises for it by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from auralign.errors import ConfigError, DataError

T = TypeVar("T")


class Loss(NamedTuple):
    """One value per item (the caller reduces), and what belongs next to it in a log.

    values        `[items]`, minimised
    diagnostics   by name, detached, `[items]` each
    """

    values: Tensor
    diagnostics: dict[str, Tensor]


class Need(StrEnum):
    """Fields of a batch that only some objectives need, in the words of `require`."""

    REFERENCE = "log-probabilities under a reference"
    TOKENS = "log-probabilities of single codes"
    TOKEN_WEIGHTS = "weights of single codes"
    TOKEN_KL = "the divergence from the reference at each code"
    COLLISION = "the log-probability that two draws of a code agree"
    CONDITION = "log-probabilities of the conditions themselves"
    P_CHOSEN = "the share of votes for the chosen clip"
    SCORES = "scores of an external reward"
    RARITY = "the frequency of each pair's score"
    EMBEDDING = "embeddings of the prompts"
    GOLD = "a gold clip of each prompt"
    MISMATCHED = "clips under a condition that they do not fit"
    LESSER = "pairs that should have the smaller margin"
    RATIONALE = "log-probabilities of rationales"
    DEGREE = "logits and labels of the degree of degradation"
    OWN = "a clip of each prompt that the policy has sampled"
    FROM_REFERENCE = "clips that the reference has sampled"
    STEPS = "the step of each frame and embeddings of the steps"


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips under the policy and under the reference.

    logp              `[clips]`, summed log-probability of the policy
    n_codes           `[clips]`, number of scored codes
    reference_logp    `[clips]`, the same sum under the reference
    token_logps       `[clips, codebook, time]` of the policy
    reference_tokens  `[clips, codebook, time]` of the reference
    scored            bool `[clips, codebook, time]`
    token_weights     `[clips, codebook, time]`, 1 at codes that the preference is about; >= 0
    kl_weights        `[clips, codebook, time]`, the same for `token_kl`
    token_kl          `[clips, codebook, time]`, KL(reference || policy) of the next code, nats
    log_collision     `[clips, codebook, time]`, log of the sum of squares of the probabilities
    condition_logp    `[clips]`, log-probability of the condition, where the policy models it
    reference_condition_logp   `[clips]`, the same under the reference
    """

    logp: Tensor
    n_codes: Tensor
    reference_logp: Tensor | None = None
    token_logps: Tensor | None = None
    reference_tokens: Tensor | None = None
    scored: Tensor | None = None
    token_weights: Tensor | None = None
    kl_weights: Tensor | None = None
    token_kl: Tensor | None = None
    log_collision: Tensor | None = None
    condition_logp: Tensor | None = None
    reference_condition_logp: Tensor | None = None

    @property
    def mean_logp(self) -> Tensor:
        """`[clips]`, nats a code."""
        return self.logp / self.n_codes

    @property
    def log_ratio(self) -> Tensor:
        """`[clips]`, log p_policy - log p_reference."""
        return self.logp - require(self.reference_logp, Need.REFERENCE)

    @property
    def mean_log_ratio(self) -> Tensor:
        """`[clips]`, nats a code."""
        return self.log_ratio / self.n_codes

    @property
    def token_log_ratios(self) -> Tensor:
        """`[clips, codebook, time]`, log p_policy - log p_reference, 0 where not scored."""
        policy = require(self.token_logps, Need.TOKENS)
        reference = require(self.reference_tokens, Need.REFERENCE)
        scored = require(self.scored, Need.TOKENS)
        return torch.where(scored, policy - reference, 0.0)

    @property
    def condition_log_ratio(self) -> Tensor:
        """`[clips]`, log p_policy - log p_reference of the condition itself."""
        policy = require(self.condition_logp, Need.CONDITION)
        return policy - require(self.reference_condition_logp, Need.CONDITION)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Chosen and rejected clips of the same prompts, row by row.

    p_chosen          `[pairs]`, share of listeners (or probability) that prefer chosen
    chosen_score      `[pairs]`, of an external reward, and `rejected_score`
    prompt_embedding  `[pairs, dim]`
    score_frequency   `[pairs]`, share of all pairs whose score lies in the same histogram bin
    gold              a clip of each prompt that is better than both, such as a studio recording
    mismatched        the chosen clips again, under a condition that they do not fit
    lesser            pairs, row by row, whose margin should be smaller
    rationale_logp    `[pairs]`, summed log-probability of why chosen is better
    degree_logits     `[pairs, levels]`, of how far the chosen clip has been degraded
    degree            int64 `[pairs]`, the level
    own               clips that the policy itself has sampled for these prompts
    from_reference    clips that the reference has sampled for these prompts
    """

    chosen: Clips
    rejected: Clips
    p_chosen: Tensor | None = None
    chosen_score: Tensor | None = None
    rejected_score: Tensor | None = None
    prompt_embedding: Tensor | None = None
    score_frequency: Tensor | None = None
    gold: Clips | None = None
    mismatched: Clips | None = None
    lesser: Pairs | None = None
    rationale_logp: Tensor | None = None
    degree_logits: Tensor | None = None
    degree: Tensor | None = None
    own: Clips | None = None
    from_reference: Clips | None = None

    @property
    def margin(self) -> Tensor:
        """`[pairs]`, log-ratio of chosen less that of rejected."""
        return self.chosen.log_ratio - self.rejected.log_ratio

    @property
    def score_gap(self) -> Tensor:
        """`[pairs]`, score of chosen less that of rejected."""
        chosen = require(self.chosen_score, Need.SCORES)
        return chosen - require(self.rejected_score, Need.SCORES)


@dataclass(frozen=True, eq=False)
class Unpaired:
    """Single clips with a thumb up or down; `desirable` is bool `[clips]`.

    mismatched        answers to other prompts under these prompts, any number of rows (they
                      estimate a mean and get no gradient, so those of all processes may be given)
    from_reference    clips that the reference has sampled, any number of rows
    reward_shift      scalar, the reward that parts desirable from undesirable clips
    density_ratio     `[clips]`, p(desirable | prompt) / p(undesirable | prompt)
    prompt_embedding  `[clips, dim]`
    """

    clips: Clips
    desirable: Tensor
    mismatched: Clips | None = None
    from_reference: Clips | None = None
    reward_shift: Tensor | None = None
    density_ratio: Tensor | None = None
    prompt_embedding: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Lists:
    """Lists of answers to one prompt each, all of one length, best first.

    clips           rows are list-major: row `i * size + k` is rank k of list i
    size            answers in a list
    scores          `[lists, size]`, of an external reward or mean opinion
    places          `[lists, size]`, where each answer stood as presented, from 1 on
    step            int `[clips, time]`, the step of the clip (phrase, bar) that a frame belongs to
    step_embedding  `[clips, steps, dim]`, mean hidden state of each step

    Raises DataError for lists of one answer, or clips that do not fill the last list.
    """

    clips: Clips
    size: int
    scores: Tensor | None = None
    places: Tensor | None = None
    step: Tensor | None = None
    step_embedding: Tensor | None = None

    def __post_init__(self) -> None:
        if self.size < 2 or len(self.clips.logp) % self.size:
            raise DataError(
                "expected lists of at least 2 answers, all of one length, "
                f"got {len(self.clips.logp)} clips in lists of {self.size}"
            )

    def by_list(self, values: Tensor) -> Tensor:
        """`[lists * size]` -> `[lists, size]`."""
        return values.reshape(-1, self.size)


def require(value: T | None, what: str) -> T:
    """`value`, or ConfigError when an objective needs it and the batch has none."""
    if value is None:
        raise ConfigError(f"this objective needs {what}, and the batch has none")
    return value
