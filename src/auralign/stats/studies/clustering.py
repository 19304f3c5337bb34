"""Answers of one rater move together, and so do answers about one prompt: what that does to errors.

An estimate's influence `[items, clusters]` is by how much each cluster moves it. Its outer product
is the sandwich covariance over those clusters (Liang & Zeger 1986, Biometrika 73:13); for two ways
of clustering at once the covariances add up, less that of their intersection (Cameron, Gelbach &
Miller 2011, J. Bus. Econ. Stat. 29:238).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy import sparse, special

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import encode
from auralign.stats.sandwich import FEW_CLUSTERS
from auralign.stats.studies.selection import Selection

ClusterBy = Literal["auto", "rater", "prompt", "both", "none"]

Influence: TypeAlias = "FloatArray | sparse.csr_array"
InfluenceOf = Callable[[IntArray], Influence]
"""From the cluster of each answer, int `[n]`, to the influence `[items, clusters]`."""

WAYS = ("rater", "prompt")


@dataclass(frozen=True, eq=False)
class Way:
    """One way of clustering: the cluster of each answer `[n]`, and over how many an item spreads.

    `spread` has an entry for each item: the number of clusters with answers about it.
    """

    name: str
    codes: IntArray
    spread: Mapping[str, int]

    @property
    def size(self) -> int:
        return n_codes(self.codes)


@dataclass(frozen=True, eq=False)
class Clustering:
    """One way of clustering, or two and their intersection."""

    ways: tuple[Way, ...]
    intersection: Way | None = None

    @property
    def n(self) -> int:
        """The number of answers."""
        return len(self.ways[0].codes)

    def spread(self, item: str) -> int:
        """The fewest clusters that an item has in a way: what an interval of it can know."""
        return min(way.spread[item] for way in self.ways)

    @property
    def warnings(self) -> tuple[str, ...]:
        few = {way.name: min(way.spread.values()) for way in self.ways}
        return tuple(
            f"answers of {n} {name}s about an item: intervals tend to be too narrow below "
            f"{FEW_CLUSTERS} {name}s"
            for name, n in few.items()
            if n < FEW_CLUSTERS and name != "answer"
        )

    def __str__(self) -> str:
        """For people: "10 raters x 200 prompts"."""
        return " x ".join(f"{way.size} {way.name}s" for way in self.ways)


@dataclass(frozen=True, eq=False)
class ItemErrors:
    """Standard errors of items `[items]` and, where asked for, of differences `[items, items]`.

    With two ways of clustering an error is the largest of those over each way alone and over both
    together, because the combined one can be too small or negative in small studies. `freedom`
    `[items]` is each item's fewest clusters less one.
    """

    items: FloatArray
    differences: FloatArray | None
    freedom: FloatArray

    def half_width(self, level: float) -> FloatArray:
        """Of the items' intervals, by Student's t."""
        half: FloatArray = special.stdtrit(self.freedom, (1 + level) / 2) * self.items
        return half


def cluster_answers(selection: Selection, by: ClusterBy) -> Clustering:
    """Cluster answers by rater, by prompt, by both, or not at all.

    `auto` takes every way in which answers repeat (raters who answered more than once, prompts with
    more than one answer) and over which every item is spread. Raises `ConfigError` for an unknown
    way, `NotConvergedError` when an item has all its answers in one cluster.
    """
    if by not in get_args(ClusterBy):
        raise ConfigError(f"cluster must be one of {', '.join(get_args(ClusterBy))}, got '{by}'")
    names = {"auto": WAYS, "both": WAYS, "none": ()}.get(by, (by,))
    ways = [_way(selection, name) for name in names]
    if by == "auto":
        ways = [way for way in ways if _repeats(way) and min(way.spread.values()) > 1]
    ways = ways or [_way(selection, "answer")]
    for way in ways:
        _require_spread(way)
    return Clustering(tuple(ways), _intersection(selection, ways))


def clustered_errors(
    influence_of: InfluenceOf, clustering: Clustering, items: Sequence[str], *, differences: bool
) -> ItemErrors:
    """Errors of estimates whose influence is known for any clustering, by the sandwich."""
    alone = [_moments(influence_of(w.codes), w, items, differences) for w in clustering.ways]
    if clustering.intersection is not None:
        cells = clustering.intersection
        both = _moments(influence_of(cells.codes), cells, items, differences)
        alone.append(tuple(a + b - c for a, b, c in zip(*alone, both, strict=True)))
    parts = [_largest_root(part) for part in zip(*alone, strict=True)]
    freedom = np.array([clustering.spread(item) - 1.0 for item in items])
    return ItemErrors(parts[0], parts[1] if differences else None, freedom)


def model_errors(covariance: FloatArray) -> ItemErrors:
    """Errors from a model's own covariance `[items, items]`, normal."""
    variance = covariance.diagonal()
    of_differences = variance[:, None] + variance - 2 * covariance
    return ItemErrors(
        _largest_root([variance]),
        _largest_root([of_differences]),
        np.full(len(variance), np.inf),
    )


def n_codes(codes: IntArray) -> int:
    """The number of clusters that codes from 0 upwards name."""
    return int(codes.max()) + 1


def _way(selection: Selection, name: str) -> Way:
    if name == "answer":
        return _spread(selection, name, np.arange(len(selection.judgements)))
    labels = [j.rater if name == "rater" else j.prompt_id for j in selection.judgements]
    return _spread(selection, name, encode(labels)[1])


def _spread(selection: Selection, name: str, codes: IntArray) -> Way:
    clusters: defaultdict[str, set[int]] = defaultdict(set)
    for judgement, code in zip(selection.judgements, codes.tolist(), strict=True):
        for item in selection.items(judgement):
            clusters[item].add(code)
    return Way(name, codes, {item: len(found) for item, found in clusters.items()})


def _repeats(way: Way) -> bool:
    return 1 < way.size < len(way.codes)


def _require_spread(way: Way) -> None:
    item, fewest = min(way.spread.items(), key=lambda entry: entry[1])
    if fewest < 2:
        raise NotConvergedError(
            f"all answers about '{item}' are of one {way.name}, so it has no interval over "
            f"{way.name}s: collect more of them, leave the item out, or take another --cluster"
        )


def _intersection(selection: Selection, ways: Sequence[Way]) -> Way | None:
    if len(ways) < 2:
        return None
    both = np.stack([way.codes for way in ways])
    cells = np.unique(both, axis=1, return_inverse=True)[1].ravel()
    return _spread(selection, "rater and prompt", cells)


def _moments(
    influence: Influence, way: Way, items: Sequence[str], differences: bool
) -> tuple[FloatArray, ...]:
    """Variances `[items]`, and of differences `[items, items]`; corrected by n / (n - 1)."""
    n = np.array([way.spread[item] for item in items], dtype=np.float64)
    correction = np.sqrt(n / np.maximum(n - 1, 1))
    scaled = sparse.csr_array(influence) * correction[:, None]
    own = np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel()
    if not differences:
        return (own,)
    covariance = (scaled @ scaled.T).toarray()
    return own, own[:, None] + own - 2 * covariance


def _largest_root(variances: Sequence[FloatArray]) -> FloatArray:
    root: FloatArray = np.sqrt(np.maximum(np.max(np.stack(variances), axis=0), 0.0))
    return root
