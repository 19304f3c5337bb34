"""The records that cross rooms, and nothing else.

Everything that a listener, a metric, a judge or a ladder says about clips is a `Judgement`;
everything a training loop sees is a `PreferencePair`, a `RankedList` or a `Feedback`, made by a
named rule; every printed number with an interval is an `Estimate`. Arrays live in `Audio` only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

DIMENSIONS = ("content_preservation", "production_quality", "task_achievement", "overall")
"""The four dimensions of judgement (arXiv 2511.13936); a study may add its own."""


class Outcome(StrEnum):
    """The coded answer to a pair trial, about the candidates *as presented*."""

    A = "A"
    B = "B"
    TIE_GOOD = "TIE_GOOD"
    TIE_BAD = "TIE_BAD"
    TIE = "TIE"
    SKIP = "SKIP"

    @property
    def is_tie(self) -> bool:
        return self in (Outcome.TIE, Outcome.TIE_GOOD, Outcome.TIE_BAD)

    @property
    def is_decisive(self) -> bool:
        return self in (Outcome.A, Outcome.B)

    def swap(self) -> Outcome:
        return {Outcome.A: Outcome.B, Outcome.B: Outcome.A}.get(self, self)


class TrialProtocol(StrEnum):
    """Protocol families; ABX, CMOS, MUSHRA and others are named protocols of them."""

    PAIR = "pair"
    RATING = "rating"
    RANKING = "ranking"
    BEST_WORST = "best_worst"
    THUMBS = "thumbs"


class Source(StrEnum):
    """Who said it. `SIMULATED` listeners are programs and are never called people."""

    HUMAN = "human"
    JUDGE = "judge"
    METRIC = "metric"
    SYNTHETIC = "synthetic"
    SIMULATED = "simulated"


class Split(StrEnum):
    """What a prompt may be used for; a prompt has exactly one split."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the generator was asked for: a text, and optionally a condition or a reference clip."""

    id: str
    text: str
    condition: str | None = None
    reference_clip: str | None = None
    split: Split = Split.TRAIN


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded samples, float32 `[channels, time]` in [-1, 1], at `sample_rate` Hz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.sample_rate

    def mono(self) -> NDArray[np.float32]:
        """Mean over channels, float32 `[time]`."""
        return np.asarray(self.samples.mean(axis=0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Clip:
    """A stored recording; `id` is the SHA-256 of its decoded samples (`audio.clip_id`)."""

    id: str
    path: str
    sample_rate: int
    channels: int
    n_samples: int
    prompt_id: str
    system: str
    seed: int | None = None
    sampler: str | None = None
    tokens_path: str | None = None

    @property
    def duration_s(self) -> float:
        """NaN where the audio is not at hand, so that its sample rate is 0."""
        return self.n_samples / self.sample_rate if self.sample_rate else math.nan


@dataclass(frozen=True, slots=True)
class Candidate:
    """One clip as it was presented, optionally only a segment `(begin, end)` in seconds."""

    clip_id: str
    segment: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener heard of one candidate."""

    plays: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer about one or more candidates on one dimension.

    `outcome` answers a pair, `rating` (on `scale`) a rating or thumbs, `ranking` (indices into
    `candidates`, best first; best and worst only for best-worst) a ranking.
    """

    trial: str
    protocol: TrialProtocol
    dimension: str
    prompt_id: str
    candidates: tuple[Candidate, ...]
    rater: str
    source: Source
    outcome: Outcome | None = None
    rating: float | None = None
    scale: tuple[float, float] | None = None
    ranking: tuple[int, ...] | None = None
    strength: int | None = None
    reasons: tuple[str, ...] = ()
    time_to_answer_s: float | None = None
    heard: tuple[Heard, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)

    def swap(self) -> Judgement:
        """The same answer with the candidates presented in reverse order; its own inverse."""
        n = len(self.candidates)
        return replace(
            self,
            candidates=self.candidates[::-1],
            outcome=self.outcome.swap() if self.outcome else None,
            ranking=tuple(n - 1 - i for i in self.ranking) if self.ranking else self.ranking,
            heard=self.heard[::-1],
        )


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Pair judgements as arrays, all `[n]`: what the statistics room computes on.

    first, second   int, index of the item presented as A and as B
    outcome         float, 1 where A won, 0 where B won, 0.5 for a tie
    weight          float, non-negative
    rater           int, index into `raters`
    cluster         int, index of the prompt (or of whatever else the trials share)
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    outcome: NDArray[np.float64]
    weight: NDArray[np.float64]
    rater: NDArray[np.int64]
    cluster: NDArray[np.int64]
    items: tuple[str, ...]
    raters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A training record: `chosen` and `rejected` are clip ids; `rule` names what made it.

    `p_chosen` is the share (or modelled probability) of listeners that prefer `chosen`.
    """

    prompt_id: str
    chosen: str
    rejected: str
    p_chosen: float
    weight: float
    dimension: str
    n_votes: int
    rule: str
    split: Split


@dataclass(frozen=True, slots=True)
class RankedList:
    """A training record: clip ids of one prompt, best first, with the scores that ordered them."""

    prompt_id: str
    clips: tuple[str, ...]
    scores: tuple[float, ...]
    dimension: str
    rule: str
    split: Split


@dataclass(frozen=True, slots=True)
class Feedback:
    """An unpaired training record: one clip that was liked or not."""

    prompt_id: str
    clip: str
    desirable: bool
    weight: float
    dimension: str
    rule: str
    split: Split


class ScoreStatus(StrEnum):
    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Score:
    """What a signal says about a clip; `value` is None unless `status` is OK, never a zero."""

    clip_id: str
    signal: str
    value: float | None
    status: ScoreStatus = ScoreStatus.OK
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, and what the interval is about."""

    value: float
    low: float
    high: float
    level: float
    n: int
    n_clusters: int
    method: str


Tokens = NDArray[np.int64]
"""Codec tokens of one clip, `[codebook, time]`."""


@runtime_checkable
class Codec(Protocol):
    """A discrete audio codec. Tokens are `[codebook, time]`, converted at adapters."""

    sample_rate: int
    n_codebooks: int
    codebook_size: int
    frame_rate: float

    def encode(self, audios: Sequence[Audio]) -> list[Tokens]: ...

    def decode(self, tokens: Sequence[Tokens]) -> list[Audio]: ...


@dataclass(frozen=True, eq=False)
class Rollout:
    """What a policy sampled: each row's prompt index, tokens, and whether it ended itself."""

    prompt_index: NDArray[np.int64]
    tokens: list[Tokens]
    terminated: NDArray[np.bool_]
    logp: NDArray[np.float64]


@runtime_checkable
class TokenPolicy(Protocol):
    """An autoregressive generator over codec tokens."""

    def sample(
        self, prompts: Sequence[Prompt], n: int, *, generator: torch.Generator
    ) -> Rollout: ...

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities `[batch, codebook, time]` and the mask of the scored ones."""
        ...


@runtime_checkable
class RewardModel(Protocol):
    """Scores clips for their prompts; higher is better, always."""

    sample_rate: int

    def score(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> NDArray[np.float64]: ...

    @property
    def card(self) -> Mapping[str, Any]: ...
