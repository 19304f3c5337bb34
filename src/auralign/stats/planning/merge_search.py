"""Ranking by merge sort that asks only the pairs it needs, guided by uncertainty (PairS)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auralign.errors import ConfigError, DataError

Preference = Callable[[str, str], float]


@dataclass(frozen=True)
class SearchedRanking:
    """Items best first, how many pairs were asked, and how likely the merges were.

    log_likelihood  sum of log P over the asked steps of the merges that were kept; 0 is certainty
    warnings        sentences that belong next to the ranking
    """

    ranking: tuple[str, ...]
    n_asked: int
    log_likelihood: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Path:
    """A partly merged list: what is placed, and how likely the answers make it."""

    placed: tuple[str, ...]
    log_likelihood: float


def merge_search(
    items: Sequence[str], prefers: Preference, *, beam: int = 1000, gap: float = 0.1
) -> SearchedRanking:
    """Rank `items` by PairS-beam (Liu et al. 2024, arXiv 2403.16950).

    `prefers(a, b)` is the probability that a is better than b: a judge's calibrated answer, or the
    share of listeners. Merge sort, where each merge is a search for the likeliest interleaving: the
    heads of two sorted lists are compared, and both continuations are followed while the answer is
    uncertain, |P - 1/2| < `gap`; otherwise only the likelier one. At most `beam` paths are kept.
    `gap=0` is PairS-greedy: plain merge sort, at most n ceil(log2 n) pairs. A pair is asked once.

    Different from the authors' program: a path's score is its likelihood (they average the
    logarithms over steps, forced ones included), and of two paths that have placed the same items
    only the likelier is kept, which loses nothing.

    The result is a search, not an estimate: it has no intervals, and noisy answers early on are
    never asked again. Transitivity is assumed.

    Raises `DataError` for fewer than 2 items, repeated items, or an answer outside [0, 1],
    `ConfigError` for a beam below 1 or a gap outside [0, 0.5].
    """
    _check_settings(items, beam, gap)
    asked: dict[tuple[str, str], float] = {}

    def ask(a: str, b: str) -> float:
        if (a, b) not in asked:
            asked[a, b] = _checked(prefers(a, b), a, b)
        return asked[a, b]

    def sort(part: Sequence[str]) -> _Path:
        if len(part) < 2:
            return _Path(tuple(part), 0.0)
        middle = len(part) // 2
        left, right = sort(part[:middle]), sort(part[middle:])
        merged = merge(left.placed, right.placed, ask, beam=beam, gap=gap)
        below = left.log_likelihood + right.log_likelihood
        return _Path(merged.placed, merged.log_likelihood + below)

    found = sort(items)
    unsure = sum(abs(p - 0.5) < gap for p in asked.values())
    return SearchedRanking(
        found.placed, len(asked), found.log_likelihood, _warnings(unsure, len(asked), gap)
    )


def merge(
    left: Sequence[str], right: Sequence[str], ask: Preference, *, beam: int, gap: float
) -> _Path:
    """The likeliest interleaving of two sorted lists that the beam finds."""
    # A path is known by how many of `left` and of `right` it has placed.
    paths = {(0, 0): _Path((), 0.0)}
    for _ in range(len(left) + len(right)):
        reached: dict[tuple[int, int], _Path] = {}
        for (i, j), path in paths.items():
            for is_left, p in _continuations(left[i:], right[j:], ask, gap):
                state = (i + is_left, j + (not is_left))
                head = left[i] if is_left else right[j]
                longer = _Path((*path.placed, head), path.log_likelihood + math.log(p))
                _keep_likelier(reached, state, longer)
        ranked = sorted(reached.items(), key=lambda entry: -entry[1].log_likelihood)
        paths = dict(ranked[:beam])
    return paths[len(left), len(right)]


def _continuations(
    left: Sequence[str], right: Sequence[str], ask: Preference, gap: float
) -> list[tuple[bool, float]]:
    """Which list the next item may come from, and with what probability."""
    if not (left and right):
        return [(bool(left), 1.0)]
    p = ask(left[0], right[0])
    if abs(p - 0.5) < gap:
        return [(True, p), (False, 1 - p)]
    return [(True, p)] if p >= 0.5 else [(False, 1 - p)]


def _keep_likelier(
    reached: dict[tuple[int, int], _Path], state: tuple[int, int], path: _Path
) -> None:
    known = reached.get(state)
    if known is None or path.log_likelihood > known.log_likelihood:
        reached[state] = path


def _checked(p: float, a: str, b: str) -> float:
    if not 0 <= p <= 1:
        raise DataError(
            f"expected a probability that '{a}' is better than '{b}', between 0 and 1, got {p}"
        )
    return float(p)


def _warnings(unsure: int, n_asked: int, gap: float) -> tuple[str, ...]:
    if unsure == 0:
        return ()
    return (
        f"{unsure} of {n_asked} answers were within {gap:g} of a coin flip: neighbours in the "
        "ranking may be equal; collect more judgements and fit a model for intervals",
    )


def _check_settings(items: Sequence[str], beam: int, gap: float) -> None:
    if len(items) < 2 or len(set(items)) != len(items):
        raise DataError(f"expected at least 2 different items, got {len(items)}")
    if beam < 1 or not 0 <= gap <= 0.5:
        raise ConfigError(f"expected beam >= 1 and gap in [0, 0.5], got {beam} and {gap}")
