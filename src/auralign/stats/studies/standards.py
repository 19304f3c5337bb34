"""Listening tests analysed as their standards say: MUSHRA, ACR and CMOS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from auralign.errors import ConfigError, did_you_mean
from auralign.stats.hypotheses.multiplicity import holm
from auralign.stats.hypotheses.result import FamilyOfTests
from auralign.stats.intervals import check_level
from auralign.stats.ratings.acr import AcrResult, analyse_acr
from auralign.stats.ratings.cmos import CmosResult, analyse_cmos
from auralign.stats.ratings.mushra import SCREENING_RULES, MushraResult, analyse_mushra
from auralign.stats.ratings.system_ratings import SystemRatings, system_ratings
from auralign.stats.studies.selection import Selection, select_judgements, systems_of

Standard = Literal["mushra", "acr", "cmos"]


@dataclass(frozen=True, eq=False)
class CmosResults:
    """Each system against the reference, best first.

    comparisons   the permutation tests that are there, adjusted by Holm
    """

    reference: str
    systems: Mapping[str, CmosResult]
    comparisons: FamilyOfTests | None


@dataclass(frozen=True, eq=False)
class StudyStandard:
    """A study's answers on one dimension as a standard analyses them."""

    study: str
    simulated: bool
    dimension: str
    standard: Standard
    level: float
    n: int
    result: MushraResult | AcrResult | CmosResults
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Roles:
    """Which systems play a part in the test, and who is left out after it."""

    reference: str | None
    anchors: tuple[str, ...]
    rules: str | None


def study_by_standard(
    study: str | os.PathLike[str],
    dimension: str,
    standard: Standard,
    *,
    reference: str | None = None,
    anchors: Sequence[str] = (),
    rules: str | None = None,
    condition: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyStandard:
    """Analyse a study folder by a standard.

    mushra   ITU-R BS.1534-3: needs `reference`, the system of the hidden reference; `anchors` from
             the best to the worst; `rules` of post-screening (`SCREENING_RULES`, BS.1534-3)
    acr      ITU-T P.800: mean opinion scores; systems compared by raters, or by prompts where some
             rater did not rate all
    cmos     ITU-T P.800, annex E: every system against `reference`, from comparisons with a
             strength from 1 to 3

    Raises `ConfigError` for an option that the standard has no use for or lacks, `DataError` for
    answers that do not fit it.
    """
    check_level(level)
    roles = _Roles(reference, tuple(anchors), rules)
    _check_options(standard, roles)
    protocol = "pair" if standard == "cmos" else "rating"
    selection = select_judgements(study, dimension, protocol=protocol, condition=condition)
    if standard == "cmos":
        result: MushraResult | AcrResult | CmosResults = _cmos(selection, roles, level, rng)
    else:
        ratings = system_ratings(selection.judgements, dimension, systems_of(selection))
        result = _mushra(ratings, roles, level) if standard == "mushra" else _acr(ratings, level)
    simulated = ("all listeners are simulated: programs, not people",)
    return StudyStandard(
        study=selection.study,
        simulated=selection.simulated,
        dimension=dimension,
        standard=standard,
        level=level,
        n=len(selection.judgements),
        result=result,
        warnings=(*selection.warnings, *(simulated if selection.simulated else ())),
    )


def _check_options(standard: str, roles: _Roles) -> None:
    if standard not in get_args(Standard):
        known = get_args(Standard)
        raise ConfigError(
            f"standard must be one of {', '.join(known)}, got '{standard}'"
            f"{did_you_mean(standard, known)}"
        )
    if roles.rules is not None and roles.rules not in SCREENING_RULES:
        raise ConfigError(
            f"rules must be one of {', '.join(SCREENING_RULES)}, got '{roles.rules}'"
            f"{did_you_mean(roles.rules, SCREENING_RULES)}"
        )
    if standard == "acr" and roles.reference is not None:
        raise ConfigError("acr has no reference; it belongs to mushra and cmos")
    if standard != "acr" and roles.reference is None:
        raise ConfigError(f"{standard} needs a reference: the system that is one")
    if standard != "mushra" and (roles.anchors or roles.rules is not None):
        raise ConfigError(f"anchors and rules of screening belong to mushra, not to {standard}")


def _mushra(ratings: SystemRatings, roles: _Roles, level: float) -> MushraResult:
    assert roles.reference is not None, "checked with the other options"
    rules = SCREENING_RULES[roles.rules or "BS.1534-3"]
    return analyse_mushra(
        ratings, reference=roles.reference, anchors=roles.anchors, rules=rules, level=level
    )


def _acr(ratings: SystemRatings, level: float) -> AcrResult:
    complete = bool(np.isfinite(ratings.by_rater()).all())
    return analyse_acr(ratings, pair_by="rater" if complete else "item", level=level)


def _cmos(
    selection: Selection, roles: _Roles, level: float, rng: np.random.Generator
) -> CmosResults:
    assert roles.reference is not None, "checked with the other options"
    systems, reference = systems_of(selection), roles.reference
    met = {
        name for j in selection.judgements if reference in (p := selection.items(j)) for name in p
    }
    if not met - {reference}:
        known = sorted({name for j in selection.judgements for name in selection.items(j)})
        raise ConfigError(
            f"no system was compared with the reference '{reference}'"
            f"{did_you_mean(reference, known)}; there are {', '.join(known)}"
        )
    found = {
        name: analyse_cmos(
            selection.judgements,
            selection.dimension,
            systems,
            system=name,
            reference=reference,
            rng=rng,
            level=level,
        )
        for name in sorted(met - {reference})
    }
    best_first = dict(sorted(found.items(), key=lambda entry: -entry[1].cmos.value))
    tests = {name: r.sign_flip for name, r in best_first.items() if r.sign_flip is not None}
    family = f"{len(tests)} systems against '{reference}' on '{selection.dimension}'"
    return CmosResults(reference, best_first, holm(tests, family=family) if tests else None)
