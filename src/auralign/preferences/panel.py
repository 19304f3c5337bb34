"""A panel of simulated listeners: programs that answer listening trials, never called people.

Each listener weighs five percepts of a clip (`preferences.ears`) by a taste of their own and
answers with noise. The latent utility of a clip for a listener on a dimension is the weighted sum
of the percepts that the dimension is about; a pair is answered by an ordered logit on the
difference of two utilities, whose middle category is a tie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from auralign.errors import ConfigError
from auralign.preferences.ears import PERCEPTS
from auralign.types import (
    DIMENSIONS,
    Candidate,
    Clip,
    Heard,
    Judgement,
    Outcome,
    Source,
    TrialProtocol,
)

Float = NDArray[np.float64]

COMMON_TASTE = {"words": 1.0, "voice": 0.7, "pace": 1.0, "noise": 1.6, "harshness": 0.7}
"""Median weight of each percept over listeners, before individual taste."""

ABOUT = {
    "content_preservation": ("words",),
    "production_quality": ("noise", "harshness"),
    "task_achievement": ("words", "voice", "pace"),
    "overall": PERCEPTS,
}
"""Which percepts each dimension of judgement is about."""

TIE_WIDTH = 0.35
"""Half-width of the tie category in units of the answer noise."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Listeners with their tastes `[listeners, percepts]` and the noise of each dimension."""

    listeners: tuple[str, ...]
    tastes: Float
    noise: dict[str, float]

    @classmethod
    def draw(cls, n: int, *, name: str, taste_spread: float, rng: np.random.Generator) -> Panel:
        """`n` listeners whose weights are log-normal around the common taste."""
        if n < 2:
            raise ConfigError(f"a panel needs at least 2 listeners, not {n}")
        common = np.array([COMMON_TASTE[p] for p in PERCEPTS])
        tastes = common * np.exp(taste_spread * rng.standard_normal((n, len(PERCEPTS))))
        names = tuple(f"simulated-{name}-{i:02d}" for i in range(n))
        return cls(names, tastes, dict.fromkeys(DIMENSIONS, 1.0))

    def first(self, n: int) -> Panel:
        """The panel of the first `n` listeners."""
        return replace(self, listeners=self.listeners[:n], tastes=self.tastes[:n])

    def with_noise(self, noise: Mapping[str, float]) -> Panel:
        """The same listeners with the answer noise of another panel."""
        return replace(self, noise=dict(noise))

    def to_json(self) -> dict[str, Any]:
        return {
            "listeners": self.listeners,
            "tastes": self.tastes.tolist(),
            "noise": self.noise,
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> Panel:
        return cls(tuple(about["listeners"]), np.array(about["tastes"]), dict(about["noise"]))

    def utilities(self, percepts: Float, dimension: str) -> Float:
        """`[listeners, clips]` of percepts `[clips, percepts]`."""
        about = np.array([p in ABOUT[dimension] for p in PERCEPTS])
        return np.asarray((self.tastes * about) @ percepts.T)

    def choice_probabilities(
        self, percepts: Float, pairs: NDArray[np.int64], dimension: str
    ) -> Float:
        """P(A), P(B) of every listener for clip pairs `[n, 2]`: float `[2, listeners, n]`."""
        utility = self.utilities(percepts, dimension)
        margin = (utility[:, pairs[:, 0]] - utility[:, pairs[:, 1]]) / self.noise[dimension]
        return np.stack([expit(margin - TIE_WIDTH), expit(-margin - TIE_WIDTH)])

    def expected_agreement(
        self, percepts: Float, pairs: NDArray[np.int64], dimension: str
    ) -> float:
        """How often two different listeners who both decide on a pair choose the same clip."""
        a, b = self.choice_probabilities(percepts, pairs, dimension)
        return _agreement(a, b)

    def with_agreement(self, target: float, percepts: Float, pairs: NDArray[np.int64]) -> Panel:
        """The same listeners with the noise of every dimension set for the wanted agreement.

        Where tastes differ so much, or clips so little, that it cannot be reached, the noise is
        the least or the most that is allowed; what was reached has to be measured in any case.
        """
        noise = {d: self._noise_for(target, percepts, pairs, d) for d in self.noise}
        return replace(self, noise=noise)

    def _noise_for(
        self, target: float, percepts: Float, pairs: NDArray[np.int64], dimension: str
    ) -> float:
        def excess(log_noise: float) -> float:
            panel = replace(self, noise={dimension: float(np.exp(log_noise))})
            return panel.expected_agreement(percepts, pairs, dimension) - target

        low, high = np.log(1e-2), np.log(1e2)
        if excess(low) <= 0:
            return float(np.exp(low))
        if excess(high) >= 0:
            return float(np.exp(high))
        return float(np.exp(brentq(excess, low, high, xtol=1e-4)))

    def answer_pairs(
        self,
        clips: Sequence[Clip],
        percepts: Float,
        trials: Sequence[tuple[int, int, int]],
        *,
        study: str,
        rng: np.random.Generator,
    ) -> list[Judgement]:
        """Answers trials `(first clip, second clip, listener)` on all four dimensions."""
        pairs = np.array([trial[:2] for trial in trials], dtype=np.int64).reshape(-1, 2)
        who = np.array([trial[2] for trial in trials], dtype=np.int64)
        outcomes = {d: self._draw_outcomes(percepts, pairs, who, d, rng) for d in self.noise}
        judgements = []
        for i, (first, second) in enumerate(pairs):
            context = _Listening.draw((clips[first], clips[second]), rng)
            judgements += [
                context.pair(f"{study}-{i:05d}", d, outcomes[d][i], self.listeners[who[i]])
                for d in self.noise
            ]
        return judgements

    def _draw_outcomes(
        self,
        percepts: Float,
        pairs: NDArray[np.int64],
        who: NDArray[np.int64],
        dimension: str,
        rng: np.random.Generator,
    ) -> list[Outcome]:
        everyone = self.choice_probabilities(percepts, pairs, dimension)
        p_a, p_b = everyone[:, who, np.arange(len(pairs))]
        mean = self.utilities(percepts, dimension)[who[:, None], pairs].mean(axis=1)
        draws = rng.random(len(pairs))
        tie = np.where(mean > 0, Outcome.TIE_GOOD, Outcome.TIE_BAD)
        a, b = draws < p_a, draws >= 1 - p_b
        return [Outcome(o) for o in np.where(a, Outcome.A, np.where(b, Outcome.B, tie))]

    def rate(
        self,
        clips: Sequence[Clip],
        percepts: Float,
        *,
        dimension: str,
        study: str,
        rng: np.random.Generator,
    ) -> list[Judgement]:
        """Every listener rates every clip from 1 to 5 (absolute category rating, ITU-T P.800)."""
        utility = self.utilities(percepts, dimension)
        severity = 0.3 * rng.standard_normal((len(self.listeners), 1))
        noise = self.noise[dimension] * rng.logistic(size=utility.shape)
        # One point of the scale is one spread of what this panel hears in these clips.
        score = 3 + (utility - utility.mean()) / utility.std() + severity
        score += noise / utility.std() / 2
        stars = np.clip(np.rint(score), 1, 5)
        return [
            _Listening.draw((clip,), rng).rating(f"{study}-mos-{c:05d}", dimension, value, rater)
            for rater, row in zip(self.listeners, stars, strict=True)
            for c, (clip, value) in enumerate(zip(clips, row, strict=True))
        ]


def _agreement(a: Float, b: Float) -> float:
    """Sums over unordered listener pairs from sums over listeners: `[listeners, n]` each."""

    def distinct(x: Float, y: Float) -> float:
        return float((x.sum(0) * y.sum(0) - (x * y).sum(0)).sum())

    return (distinct(a, a) + distinct(b, b)) / distinct(a + b, a + b)


@dataclass(frozen=True, slots=True)
class _Listening:
    """One sitting in front of one trial: what was heard and how long the answer took."""

    clips: tuple[Clip, ...]
    heard: tuple[Heard, ...]
    seconds: float

    @classmethod
    def draw(cls, clips: tuple[Clip, ...], rng: np.random.Generator) -> _Listening:
        """Each clip once or twice in full, then a log-normal time to decide."""
        plays = 1 + rng.integers(2, size=len(clips))
        heard = tuple(
            Heard(int(n), round(float(n * clip.duration_s), 3))
            for n, clip in zip(plays, clips, strict=True)
        )
        decision = float(rng.lognormal(0.3, 0.5))
        return cls(clips, heard, round(sum(h.seconds for h in heard) + decision, 3))

    def pair(self, trial: str, dimension: str, outcome: Outcome, rater: str) -> Judgement:
        return replace(
            self._judgement(trial, TrialProtocol.PAIR, dimension, rater), outcome=outcome
        )

    def rating(self, trial: str, dimension: str, value: float, rater: str) -> Judgement:
        return replace(
            self._judgement(trial, TrialProtocol.RATING, dimension, rater),
            rating=float(value),
            scale=(1.0, 5.0),
        )

    def _judgement(
        self, trial: str, protocol: TrialProtocol, dimension: str, rater: str
    ) -> Judgement:
        return Judgement(
            trial=trial,
            protocol=protocol,
            dimension=dimension,
            prompt_id=self.clips[0].prompt_id,
            candidates=tuple(Candidate(clip.id) for clip in self.clips),
            rater=rater,
            source=Source.SIMULATED,
            time_to_answer_s=self.seconds,
            heard=self.heard,
        )


def draw_trials(
    pairs: Sequence[tuple[int, int]],
    n_listeners: int,
    votes_per_pair: int,
    rng: np.random.Generator,
) -> Iterator[tuple[int, int, int]]:
    """Trials `(first, second, listener)`: listeners least-used first, sides drawn by a coin.

    Raises ConfigError for more votes on a pair than there are listeners.
    """
    if votes_per_pair > n_listeners:
        raise ConfigError(
            f"{votes_per_pair} votes on each pair need as many listeners, not {n_listeners}"
        )
    load = np.zeros(n_listeners)
    for first, second in pairs:
        # A random order among equally loaded listeners, so that no block of pairs has fixed ones.
        chosen = np.lexsort((rng.random(n_listeners), load))[:votes_per_pair]
        load[chosen] += 1
        for listener in chosen:
            flipped = rng.random() < 0.5
            yield (second, first, int(listener)) if flipped else (first, second, int(listener))
