"""How large a coming study has to be: from formulas, or from a pilot study folder."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from auralign.errors import ConfigError, DataError
from auralign.stats.planning.pilot import PowerCurve, pilot_power, read_pilot
from auralign.stats.planning.study_size import (
    StudySize,
    acr_study,
    round_robin_study,
    win_rate_study,
)
from auralign.stats.studies.models import between_items, comparisons_of
from auralign.stats.studies.selection import select_judgements


def plan_study(
    *,
    listeners_judge: int,
    effect: float | None = None,
    gap: float | None = None,
    difference: float | None = None,
    sd: float | None = None,
    systems: int = 2,
    icc: float = 0.0,
    tie_rate: float = 0.0,
    rejected: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> StudySize:
    """The size of a study in which each listener gives `listeners_judge` judgements.

    Exactly one of: `effect`, a win rate of two systems (`win_rate_study`); `gap`, a difference of
    log-worths in a round robin of `systems` (`round_robin_study`); `difference` of mean ratings of
    two systems with the standard deviation `sd`, all pairs of `systems` tested (`acr_study`).
    Raises `ConfigError` for anything else.
    """
    given = {"effect": effect, "gap": gap, "difference": difference}
    wanted = [name for name, value in given.items() if value is not None]
    if len(wanted) != 1:
        raise ConfigError(
            "expected one thing to detect: a win rate (effect), a difference of log-worths (gap) "
            f"or of mean ratings (difference), got {' and '.join(wanted) or 'none'}"
        )
    _refuse(wanted[0], sd is not None, systems != 2, tie_rate != 0)
    common = {"icc": icc, "rejected": rejected, "alpha": alpha, "power": power}
    votes = {"judgements_per_listener": listeners_judge, "tie_rate": tie_rate}
    if effect is not None:
        return win_rate_study(effect, **votes, **common)  # type: ignore[arg-type]
    if gap is not None:
        return round_robin_study(systems, gap, **votes, **common)  # type: ignore[arg-type]
    assert difference is not None, "one of the three is given"
    return _rating_study(difference, sd, systems, listeners_judge, common)


def _refuse(design: str, sd: bool, systems: bool, ties: bool) -> None:
    """Options that the design does not have."""
    foreign = {
        "sd belongs to a difference of ratings": sd and design != "difference",
        "an effect is about two systems: give a gap for more": systems and design == "effect",
        "ratings have no ties": ties and design == "difference",
    }
    for sentence, applies in foreign.items():
        if applies:
            raise ConfigError(sentence)


def _rating_study(
    difference: float,
    sd: float | None,
    systems: int,
    listeners_judge: int,
    common: dict[str, float],
) -> StudySize:
    if sd is None:
        raise ConfigError("a difference of mean ratings needs sd, that of single ratings")
    clips, rest = divmod(listeners_judge, systems)
    if rest or not clips:
        raise ConfigError(
            f"every listener rates as many clips of each system: {listeners_judge} ratings cannot "
            f"be shared by {systems} systems"
        )
    pairs = systems * (systems - 1) // 2
    return acr_study(difference, sd, clips_per_system=clips, n_tests=pairs, **common)  # type: ignore[arg-type]


def power_from_pilot(
    study: str | os.PathLike[str],
    dimension: str,
    between: tuple[str, str],
    *,
    listeners: Sequence[int],
    judgements_per_listener: int,
    condition: str | None = None,
    prior: float = 0.0,
    n_simulations: int = 500,
    alpha: float = 0.05,
    assurance: bool = False,
    rng: np.random.Generator,
) -> PowerCurve:
    """`pilot_power` to tell two systems apart, with the comparisons of a study folder as pilot.

    Raises `DataError` when the study has no comparisons of systems.
    """
    selection = select_judgements(study, dimension, protocol="pair", condition=condition)
    pilot = read_pilot(comparisons_of(between_items(selection)), prior=prior)
    if not set(between) <= set(pilot.items):
        raise DataError(
            f"expected two systems of the pilot ({', '.join(pilot.items)}), got "
            f"{' and '.join(between)}"
        )
    return pilot_power(
        pilot,
        *between,
        listeners=listeners,
        judgements_per_listener=judgements_per_listener,
        rng=rng,
        n_simulations=n_simulations,
        alpha=alpha,
        assurance=assurance,
    )
