"""Do groups of listeners prefer different systems of a study? Who likes a system least?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError
from auralign.stats.comparisons import TIES
from auralign.stats.hypotheses.listener_groups import GroupWinRates, group_win_rates
from auralign.stats.hypotheses.result import FamilyOfTests
from auralign.stats.studies.selection import Selection
from auralign.types import Judgement, Outcome


@dataclass(frozen=True, slots=True)
class PairByGroup:
    """Win rates of the first of two systems by group of listeners, the worst group first.

    `p_adjusted` is that of the gap between groups, in the family of all pairs.
    """

    first: str
    second: str
    win_rates: GroupWinRates
    p_adjusted: float


def pairs_by_group(
    selection: Selection,
    pairs: Sequence[tuple[str, str]],
    group_of: Mapping[str, str],
    *,
    adjust: Callable[..., FamilyOfTests],
    level: float,
    rng: np.random.Generator,
) -> tuple[tuple[PairByGroup, ...], tuple[str, ...]]:
    """`group_win_rates` of each pair, and sentences about raters and pairs that were left out.

    Raises `DataError` where no rater of the study has a group.
    """
    known = [j for j in selection.judgements if j.rater in group_of]
    raters = {j.rater for j in selection.judgements}
    strangers = raters - group_of.keys()
    if not known:
        raise DataError(
            f"none of the {len(raters)} raters, such as '{min(raters)}', has a group: check that "
            "the table names raters as the study does"
        )
    warnings = [f"{len(strangers)} of {len(raters)} raters have no group"] if strangers else []
    found: dict[tuple[str, str], GroupWinRates] = {}
    for pair in pairs:
        votes = [j for j in known if set(selection.items(j)) == set(pair)]
        try:
            found[pair] = _win_rates(selection, votes, pair[0], group_of, level, rng)
        except DataError as error:
            warnings.append(f"{pair[0]} and {pair[1]}, by group: {error}")
    if not found:
        return (), tuple(warnings)
    labelled = {f"{first} - {second}": rates.gap_test for (first, second), rates in found.items()}
    family = adjust(labelled, family=f"gaps between groups: {len(found)} pairs of systems")
    rows = zip(found.items(), family.tests, strict=True)
    return (
        tuple(PairByGroup(*pair, rates, test.p_adjusted) for (pair, rates), test in rows),
        tuple(warnings),
    )


def _win_rates(
    selection: Selection,
    votes: Sequence[Judgement],
    system: str,
    group_of: Mapping[str, str],
    level: float,
    rng: np.random.Generator,
) -> GroupWinRates:
    return group_win_rates(
        [_win(j, selection.items(j)[0] == system) for j in votes],
        [j.rater for j in votes],
        [j.prompt_id for j in votes],
        [group_of[j.rater] for j in votes],
        rng=rng,
        level=level,
    )


def _win(judgement: Judgement, presented_first: bool) -> float:
    """Of the system that was presented first, or second: 1, 0, or 0.5 for a tie."""
    if judgement.outcome in TIES:
        return 0.5
    return float((judgement.outcome is Outcome.A) == presented_first)
