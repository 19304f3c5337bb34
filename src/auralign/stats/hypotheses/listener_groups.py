"""Groups of listeners: who prefers the system less, and how unequal that is.

A mean hides a group that loses. Report the worst group, the 20th percentile and Gini's coefficient
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.hypotheses.result import HypothesisTest
from auralign.stats.intervals import Labels, win_rate
from auralign.types import Estimate


@dataclass(frozen=True, slots=True)
class Inequality:
    """Utilities of groups, summed up; `gini` is 0 when all are equal and NaN when all are 0."""

    mean: float
    worst_group: str
    worst: float
    percentile_20: float
    gini: float


@dataclass(frozen=True, slots=True)
class GroupWinRates:
    """Win rates of groups of listeners; their intervals hold for all groups together.

    `gap` is the largest minus the smallest win rate. It is never negative, so `gap_test` compares
    it with the gaps that shuffled listeners would show.
    """

    overall: Estimate
    groups: Mapping[str, Estimate]
    inequality: Inequality
    gap: float
    gap_test: HypothesisTest
    warnings: tuple[str, ...]


def group_win_rates(
    first_wins: ArrayLike,
    listener: Labels,
    prompt: Labels,
    group: Labels,
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> GroupWinRates:
    """Win rates of the first of two systems in each group of listeners, worst group first.

    `first_wins` is float `[n]`: 1, 0, or 0.5 for a tie; `listener`, `prompt` and `group` are labels
    `[n]`, a listener in one group. Intervals are those of `win_rate` at the level 1 - (1 - level) /
    groups (Bonferroni), so that picking out the worst group is allowed. The test permutes groups
    over listeners.

    Raises `DataError` for one group, a listener in two groups, and as `win_rate` does.
    """
    votes = np.asarray(first_wins, dtype=np.float64)
    listeners, prompts, groups = (np.asarray(side) for side in (listener, prompt, group))
    names, code = np.unique(groups, return_inverse=True)
    _check_labels(len(votes), {"listener": listeners, "prompt": prompts, "group": groups}, names)
    rate = partial(win_rate, rng=rng, n_resamples=n_resamples)
    group_of = _group_of_listener(listeners, code, names)
    together = 1 - (1 - level) / len(names)
    rates = {}
    for k, name in enumerate(names):
        rows = code == k
        estimate = rate(votes[rows], listeners[rows], prompts[rows], level=together)
        method = f"{estimate.method}; Bonferroni over {len(names)} groups"
        rates[str(name)] = replace(estimate, level=level, method=method)
    worst_first = dict(sorted(rates.items(), key=lambda item: item[1].value))
    values = {name: estimate.value for name, estimate in worst_first.items()}
    test = _gap_test(votes, listeners, group_of, n_resamples, rng)
    return GroupWinRates(
        overall=rate(votes, listeners, prompts, level=level),
        groups=worst_first,
        inequality=inequality(values),
        gap=max(values.values()) - min(values.values()),
        gap_test=test,
        warnings=_warnings(group_of, names),
    )


def inequality(utilities: Mapping[str, float]) -> Inequality:
    """Mean, worst group, 20th percentile and Gini's coefficient of non-negative utilities.

    Gini's coefficient is the mean absolute difference of two groups over twice the mean, groups
    counting alike. Raises `DataError` for no group or a utility that is negative or not finite.
    """
    values = np.array(list(utilities.values()), dtype=np.float64)
    if not len(values) or not (np.isfinite(values) & (values >= 0)).all():
        raise DataError(f"expected utilities that are finite and not negative, got {utilities}")
    worst = min(utilities, key=lambda name: utilities[name])
    return Inequality(
        mean=float(values.mean()),
        worst_group=worst,
        worst=utilities[worst],
        percentile_20=float(np.quantile(values, 0.2)),
        gini=_gini(values),
    )


def _check_labels(
    n: int,
    sides: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]],
    names: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
) -> None:
    for side, labels in sides.items():
        if len(labels) != n:
            raise DataError(f"expected one {side} for each of {n} votes, got {len(labels)}")
    if len(names) < 2:
        raise DataError(f"expected at least 2 groups of listeners, got {len(names)}")


def _gini(values: FloatArray) -> float:
    n, total = len(values), float(values.sum())
    place = 2 * np.arange(1, n + 1) - n - 1
    return float(place @ np.sort(values) / (n * total)) if total > 0 else float("nan")


def _group_of_listener(
    listener: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    group: IntArray,
    names: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
) -> IntArray:
    listeners, first, code = np.unique(listener, return_index=True, return_inverse=True)
    of_listener = group[first]
    strays = np.flatnonzero(of_listener[code] != group)
    if len(strays):
        stray = strays[0]
        raise DataError(
            f"listener '{listeners[code[stray]]}' is in the groups '{names[group[stray]]}' and "
            f"'{names[of_listener[code[stray]]]}'; a listener belongs to one"
        )
    return of_listener


def _gap_test(
    votes: FloatArray,
    listener: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    group_of: IntArray,
    n_permutations: int,
    rng: np.random.Generator,
) -> HypothesisTest:
    code = np.unique(listener, return_inverse=True)[1]
    won, cast = sum_by(code, votes, len(group_of)), sum_by(code, np.ones(len(code)), len(group_of))
    n_groups = int(group_of.max()) + 1

    def gap(groups: IntArray) -> float:
        return float(np.ptp(sum_by(groups, won, n_groups) / sum_by(groups, cast, n_groups)))

    observed = gap(group_of)
    shuffled = np.array([gap(rng.permutation(group_of)) for _ in range(n_permutations)])
    as_large = int((shuffled >= observed - 1e-12).sum())
    return HypothesisTest(
        f"gap of win rates; {n_permutations} permutations of groups over listeners",
        observed,
        (as_large + 1) / (n_permutations + 1),
        len(group_of),
        "greater",
    )


def _warnings(
    group_of: IntArray, names: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> tuple[str, ...]:
    sizes = np.bincount(group_of)
    return tuple(
        f"group '{name}' has {size} listeners: its win rate says little about others like them"
        for name, size in zip(names, sizes, strict=True)
        if size < 5
    )
