"""The raters of a study: what speaks for and against each of them, and what groups they form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from auralign.data import StudyFolder
from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.intervals import check_level
from auralign.stats.raters.checks import without_checks
from auralign.stats.raters.crowd_bradley_terry import fit_rater_discrimination
from auralign.stats.raters.mixtures import RaterMixtureFit, fit_rater_mixtures
from auralign.stats.raters.quality import QualityReport, QualityRules, rater_quality
from auralign.stats.studies.selection import judgements_on, known_clips
from auralign.types import Comparisons, Estimate, Judgement, Outcome, TrialProtocol


@dataclass(frozen=True, eq=False)
class Discrimination:
    """How steeply each rater's votes follow the worths of systems (geometric mean 1).

    Low values are answers at random, or by another taste.
    """

    raters: Mapping[str, Estimate]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RaterGroups:
    """Groups of raters who prefer different systems, and whether the study asks for so many.

    bic   of 1, 2, ... groups; the lowest is preferred
    """

    fit: RaterMixtureFit
    bic: tuple[float, ...]

    @property
    def preferred(self) -> int:
        """The number of groups that the votes speak for."""
        return int(np.argmin(self.bic)) + 1


@dataclass(frozen=True, eq=False)
class StudyRaters:
    """The quality report of a study's raters on one dimension, and models of their votes.

    discrimination   None with `discrimination_reason`
    groups           None unless asked for
    """

    study: str
    simulated: bool
    report: QualityReport
    discrimination: Discrimination | None
    discrimination_reason: str
    groups: RaterGroups | None
    warnings: tuple[str, ...]


def study_raters(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    condition: str | None = None,
    rules: QualityRules | None = None,
    n_groups: int | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyRaters:
    """`rater_quality` of the judgements in a study folder, in their order, and crowd models.

    Votes between systems, screening trials left out, give each rater's discrimination
    (`fit_rater_discrimination`) and with `n_groups` a mixture of raters (`fit_rater_mixtures`).
    Raises `DataError` also where every rater answered once, so that none can be judged.
    """
    check_level(level)
    folder = StudyFolder.open(study)
    judgements = judgements_on(folder, dimension, condition)
    if len({j.rater for j in judgements}) == len(judgements):
        raise DataError(
            f"{folder.path}: each of {len(judgements)} raters answered once on '{dimension}', as "
            "where who answered is not known: nothing can be said about single raters"
        )
    report = rater_quality(judgements, dimension, rules=rules, level=level)
    votes = _votes(folder, judgements)
    if n_groups is not None and votes is None:
        raise DataError(f"groups of raters need votes between systems on '{dimension}', found none")
    discrimination, reason = _discrimination(votes, level)
    simulated = ("all listeners are simulated: programs, not people",)
    return StudyRaters(
        study=folder.header.name,
        simulated=folder.header.simulated,
        report=report,
        discrimination=discrimination,
        discrimination_reason=reason,
        groups=_groups(votes, n_groups, rng) if votes and n_groups else None,
        warnings=simulated if folder.header.simulated else (),
    )


def _votes(folder: StudyFolder, judgements: list[Judgement]) -> Comparisons | None:
    """Those between two systems, None without any."""
    clips = known_clips(folder.clips(), judgements)
    system_of = {name: clip.system for name, clip in clips.items()}
    between = [
        j
        for j in without_checks(judgements)
        if j.protocol is TrialProtocol.PAIR
        and j.outcome is not Outcome.SKIP
        and len({system_of[c.clip_id] for c in j.candidates}) == 2
    ]
    if not between:
        return None
    return comparisons_from(between, between[0].dimension, item_of=system_of.__getitem__)


def _discrimination(votes: Comparisons | None, level: float) -> tuple[Discrimination | None, str]:
    if votes is None:
        return None, "there are no votes between systems"
    try:
        fit = fit_rater_discrimination(votes)
    except NotConvergedError as error:
        return None, str(error)
    found = {rater: fit.reliability_of(rater, level=level) for rater in fit.raters}
    return Discrimination(found, fit.warnings), ""


def _groups(votes: Comparisons, n_groups: int, rng: np.random.Generator) -> RaterGroups:
    if n_groups > len(votes.raters):
        raise ConfigError(
            f"expected at most as many groups as raters ({len(votes.raters)}), got {n_groups}"
        )
    fits = fit_rater_mixtures(votes, n_groups, rng=rng)
    return RaterGroups(fits[-1], tuple(fit.bic for fit in fits))
