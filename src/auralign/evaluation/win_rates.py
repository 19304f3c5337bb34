"""How often listeners prefer one system over another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from auralign.errors import DataError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.intervals import win_rate
from auralign.types import Comparisons, Estimate, Judgement


def system_win_rate(
    judgements: Iterable[Judgement],
    systems: Mapping[str, str],
    *,
    after: str,
    before: str,
    dimension: str,
    rng: np.random.Generator,
) -> Estimate:
    """Share of pair votes that `after` wins over `before`, ties half.

    systems   clip id -> system

    The 95 % interval resamples listeners and prompts (`stats.win_rate`). Raises DataError when no
    judgement compares the two.
    """
    votes, comparisons = _votes(judgements, systems, after, before, dimension)
    return win_rate(votes, comparisons.rater, comparisons.cluster, rng=rng)


def listener_win_rates(
    judgements: Iterable[Judgement],
    systems: Mapping[str, str],
    *,
    after: str,
    before: str,
    dimension: str,
) -> dict[str, tuple[float, int]]:
    """Each listener's own win rate of `after`, and the number of votes behind it."""
    votes, comparisons = _votes(judgements, systems, after, before, dimension)
    return {
        name: (float(votes[comparisons.rater == i].mean()), int((comparisons.rater == i).sum()))
        for i, name in enumerate(comparisons.raters)
    }


def _votes(
    judgements: Iterable[Judgement],
    systems: Mapping[str, str],
    after: str,
    before: str,
    dimension: str,
) -> tuple[np.ndarray, Comparisons]:
    """1 where `after` won, 0 where it lost, 0.5 for a tie."""
    between = [
        j for j in judgements if {systems[c.clip_id] for c in j.candidates} == {after, before}
    ]
    if not between:
        raise DataError(
            f"no judgement compares '{after}' with '{before}': collect pair votes on both"
        )
    comparisons = comparisons_from(between, dimension, item_of=systems.__getitem__)
    first_is_after = comparisons.first == comparisons.items.index(after)
    return np.where(first_is_after, comparisons.outcome, 1 - comparisons.outcome), comparisons
