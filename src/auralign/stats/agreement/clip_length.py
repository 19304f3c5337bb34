"""Agreement against the length of the clips: long ones leave more to disagree about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import ConfigError, DataError
from auralign.stats.agreement.rater_reliability import votes_of_others
from auralign.stats.agreement.stimuli import canonical_answers, decisive_votes, stimulus
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import TIES, encode
from auralign.stats.intervals import Labels, cluster_bootstrap
from auralign.stats.proportions import clustered_share
from auralign.stats.ratings.table import RatingTable
from auralign.types import Candidate, Estimate, Judgement


@dataclass(frozen=True, slots=True)
class LengthBin:
    """Agreement of rater pairs about stimuli of `low_s` to `high_s` seconds."""

    low_s: float
    high_s: float
    agreement: Estimate


@dataclass(frozen=True, slots=True)
class AgreementByLength:
    """Agreement by bins of length, and its change with each doubling of the length."""

    bins: tuple[LengthBin, ...]
    slope_per_doubling: Estimate


def agreement_by_clip_length(
    judgements: Iterable[Judgement],
    dimension: str,
    durations_s: Mapping[str, float],
    *,
    rng: np.random.Generator,
    edges_s: Sequence[float] | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> AgreementByLength:
    """Pairwise agreement of raters by the length of what they heard.

    `durations_s` maps clip ids to seconds; a candidate presented as a segment has the segment's
    length, and a stimulus the mean of its two candidates'. `edges_s` are the borders of the bins,
    ascending; None takes quartiles of the stimuli. Agreement is the share of pairs of different
    raters with the same decisive answer; the slope is its weighted least-squares regression on
    log2 of the length. Intervals are over prompts: `clustered_share` in bins, a bootstrap for the
    slope.

    Raises `DataError` when a length is unknown or not positive, all are equal, or no pair has two
    decisive raters; `ConfigError` for edges that do not ascend.
    """
    kept = list(judgements)
    votes = decisive_votes(kept, dimension)
    lengths = _stimulus_lengths(kept, dimension, durations_s)
    others_first, others = votes_of_others(votes)
    second, others_second = votes.total - votes.first, others - others_first
    agreeing = votes.first * others_first + second * others_second
    n = len(votes.cluster)
    return _by_length(
        sum_by(votes.stimulus, agreeing, n) / 2,
        sum_by(votes.stimulus, votes.total * others, n) / 2,
        lengths,
        votes.cluster,
        edges_s=edges_s,
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )


def rating_agreement_by_clip_length(
    table: RatingTable,
    scale: tuple[float, float],
    durations_s: Mapping[str, float],
    *,
    rng: np.random.Generator,
    edges_s: Sequence[float] | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> AgreementByLength:
    """The same for ratings on `scale`: a pair of raters agrees by 1 - |difference| / range.

    Intervals are over clips. Raises as `agreement_by_clip_length` does.
    """
    if not scale[0] < scale[1]:
        raise ConfigError(f"scale must ascend, got {scale}")
    present = np.isfinite(table.values)
    size = present.sum(axis=0)
    ordered = np.sort(np.where(present, table.values, np.inf), axis=0)
    # The sum of |difference| over pairs, from the order: the k-th of m counts 2 k - m + 1 times.
    factor = 2 * np.arange(len(ordered))[:, None] - size + 1
    apart = (factor * np.where(np.isfinite(ordered), ordered, 0.0)).sum(axis=0)
    pairs = size * (size - 1) / 2
    return _by_length(
        pairs - apart / (scale[1] - scale[0]),
        pairs,
        np.array([_duration(durations_s, clip) for clip in table.clips]),
        np.arange(len(table.clips)),
        edges_s=edges_s,
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )


def _by_length(
    agreeing: FloatArray,
    pairs: FloatArray,
    lengths_s: FloatArray,
    cluster: Labels,
    *,
    edges_s: Sequence[float] | None,
    rng: np.random.Generator,
    n_resamples: int,
    level: float,
) -> AgreementByLength:
    used = pairs > 0
    agreeing, pairs, lengths_s = agreeing[used], pairs[used], lengths_s[used]
    labels = np.asarray(cluster)[used]
    if not used.any() or np.ptp(lengths_s) == 0:
        raise DataError(
            f"agreement against length needs stimuli of different lengths with two raters each, "
            f"got {used.sum()} such stimuli of {len(np.unique(lengths_s))} lengths"
        )
    edges = _edges(lengths_s, edges_s)
    place = np.clip(np.searchsorted(edges, lengths_s, side="right") - 1, 0, len(edges) - 2)
    bins = tuple(
        LengthBin(
            float(edges[k]),
            float(edges[k + 1]),
            clustered_share(agreeing[rows], pairs[rows], labels[rows], level=level),
        )
        for k in range(len(edges) - 1)
        if (rows := (place == k)).any()
    )
    share, octaves = agreeing / pairs, np.log2(lengths_s)
    slope = cluster_bootstrap(
        lambda counts: _slope(octaves, share, pairs, counts),
        labels,
        rng=rng,
        n_resamples=n_resamples,
        level=level,
    )
    method = f"change of agreement for each doubling of the length; {slope.method}"
    return AgreementByLength(bins, replace(slope, method=method))


def _slope(x: FloatArray, y: FloatArray, pairs: FloatArray, counts: IntArray) -> float:
    weight = pairs * counts
    dx = x - weight @ x / weight.sum()
    spread = float(weight @ dx**2)
    return float(weight @ (dx * y)) / spread if spread > 1e-12 else float("nan")


def _edges(lengths_s: FloatArray, edges_s: Sequence[float] | None) -> FloatArray:
    if edges_s is None:
        return np.unique(np.quantile(lengths_s, [0, 0.25, 0.5, 0.75, 1]))
    edges = np.asarray(edges_s, dtype=np.float64)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ConfigError(f"edges_s must be at least two ascending lengths, got {list(edges_s)}")
    outside = (lengths_s < edges[0]) | (lengths_s > edges[-1])
    if outside.any():
        raise ConfigError(
            f"edges_s from {edges[0]:g} to {edges[-1]:g} s leave out a stimulus of "
            f"{lengths_s[outside][0]:g} s; widen them"
        )
    return edges


def _stimulus_lengths(
    judgements: Iterable[Judgement], dimension: str, durations_s: Mapping[str, float]
) -> FloatArray:
    """Mean length of the two candidates, in the order of `decisive_votes`."""
    answers = [j for j in canonical_answers(judgements, dimension) if j.outcome not in TIES]
    by_name = {
        stimulus(j): np.mean([_length(c, durations_s) for c in j.candidates]) for j in answers
    }
    names, _ = encode(list(by_name))
    return np.array([by_name[name] for name in names], dtype=np.float64)


def _length(candidate: Candidate, durations_s: Mapping[str, float]) -> float:
    if candidate.segment is not None:
        return candidate.segment[1] - candidate.segment[0]
    return _duration(durations_s, candidate.clip_id)


def _duration(durations_s: Mapping[str, float], clip: str) -> float:
    duration = durations_s.get(clip, 0.0)
    if not duration > 0:
        raise DataError(
            f"expected the length of clip '{clip}' in seconds, got "
            f"{durations_s.get(clip, 'none')}; agreement against length needs all of them"
        )
    return duration
