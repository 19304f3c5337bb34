"""Do loudness, duration or the order of presentation explain votes that are credited to systems?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import FloatArray
from auralign.stats.comparisons import encode
from auralign.stats.explain.attributes import (
    AttributedComparisons,
    Attributes,
    attribute_comparisons,
)
from auralign.stats.explain.effects import interval_of, two_sided_p
from auralign.stats.hypotheses.multiplicity import holm_adjusted
from auralign.stats.intervals import check_level
from auralign.stats.pairs.covariates import CovariateFit, LikelihoodRatio, fit_covariates
from auralign.stats.sandwich import clustered_interval
from auralign.types import Comparisons, Estimate

SIDE = "presented first"


@dataclass(frozen=True)
class ConfounderEffect:
    """One suspect, alone and beside everything else.

    scale       one standard deviation of it, in its own unit; 1 for `presented first`
    alone       log-odds per `scale` in a model of it alone, against coin flips
    adjusted    the same beside the systems and all other suspects
    alone_ratio, adjusted_ratio  likelihood-ratio tests of the two; they take answers as independent
    p_holm      of the adjusted effect, clustered by rater, corrected for all suspects (Holm 1979);
                with one rater from the likelihood ratio
    """

    name: str
    scale: float
    alone: Estimate
    alone_ratio: LikelihoodRatio
    adjusted: Estimate
    adjusted_ratio: LikelihoodRatio
    ratio_p_holm: float
    p_holm: float

    @property
    def favours(self) -> str:
        """Which clips the votes lean to."""
        if self.name == SIDE:
            return "the clip presented " + ("first" if self.adjusted.value > 0 else "second")
        return f"{'higher' if self.adjusted.value > 0 else 'lower'} {self.name}"


@dataclass(frozen=True)
class SystemShift:
    """Log-worth of a system before and after the suspects are in the model, and the change."""

    system: str
    before: float
    after: float
    change: Estimate


@dataclass(frozen=True, eq=False)
class ConfounderCheck:
    """Whether suspects explain votes, and what is left of the systems' differences.

    joint     likelihood-ratio test of all suspects together, given the systems
    shifts    empty when systems were not named
    verdict   the result in a sentence or two
    warnings  sentences that belong next to the numbers
    """

    effects: tuple[ConfounderEffect, ...]
    joint: LikelihoodRatio
    shifts: tuple[SystemShift, ...]
    verdict: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Terms:
    """Columns of the models, by name: of clips `[items]`, and of trials `[n]`."""

    data: AttributedComparisons
    systems: tuple[str, ...]
    of_item: Mapping[str, FloatArray]
    of_trial: Mapping[str, FloatArray]
    scale: Mapping[str, float]

    @property
    def suspects(self) -> tuple[str, ...]:
        return tuple(self.scale)

    def fit(self, names: Sequence[str]) -> CovariateFit:
        """A fit of some of the terms."""
        c = self.data.comparisons
        items = [name for name in names if name in self.of_item]
        trials = [name for name in names if name in self.of_trial]
        of_item = np.array([self.of_item[name] for name in items]).reshape(-1, len(c.items)).T
        of_trial = np.array([self.of_trial[name] for name in trials]).reshape(-1, len(c.first)).T
        return fit_covariates(
            c, attributes=of_item, trial_covariates=of_trial, names=[*items, *trials]
        )


def check_confounders(
    comparisons: Comparisons,
    attributes: Attributes,
    *,
    system_of: Mapping[str, str] | None = None,
    trial_covariates: Mapping[str, ArrayLike] | None = None,
    side: bool = True,
    level: float = 0.95,
) -> ConfounderCheck:
    """Fit votes with and without suspects, and compare.

    `comparisons` are of clips, in the order of presentation. Suspects are `attributes` of clips
    (attribute -> {clip: value}, such as loudness in LUFS or duration in s), `trial_covariates` of
    comparisons (name -> values `[n]` that favour the first clip, such as 1 or -1 for the side of
    the screen), and, if `side`, being presented first. `system_of` maps clip -> system: then each
    suspect is also tested given the systems, which needs systems whose clips differ in it, and
    `shifts` says how much the systems' worths move. Suspects are standardised as in
    `attribute_comparisons` (trial covariates by their root mean square) and ties left out, which
    makes the likelihood-ratio tests exact in Davidson's model. Those tests take answers as
    independent; the verdict goes by tests clustered by rater.

    A suspect may be a cause of quality as well as a confounder: what the check says is that the
    votes cannot tell. Raises `DataError` when a suspect is collinear with the systems or others,
    `NotConvergedError` when no finite coefficients exist, `ConfigError` without suspects.
    """
    check_level(level)
    terms = _terms(comparisons, attributes, system_of, trial_covariates or {}, side)
    system_terms = [_term(system) for system in terms.systems[1:]]
    before = terms.fit(system_terms) if system_terms else None
    after = terms.fit([*system_terms, *terms.suspects])
    effects = _effects(terms, after, level)
    joint = after.likelihood_ratio(before)
    shifts = _shifts(terms.systems, before, after, level) if before else ()
    return ConfounderCheck(
        effects=effects,
        joint=joint,
        shifts=shifts,
        verdict=_verdict(effects, shifts, 1 - level),
        warnings=tuple(dict.fromkeys(terms.data.warnings + after.warnings + joint.warnings)),
    )


def _terms(
    comparisons: Comparisons,
    attributes: Attributes,
    system_of: Mapping[str, str] | None,
    trial_covariates: Mapping[str, ArrayLike],
    side: bool,
) -> _Terms:
    if not (attributes or trial_covariates or side):
        raise ConfigError("expected at least one suspect: attributes, trial_covariates or side")
    names = [*attributes, *trial_covariates, *[SIDE] * side]
    if len(set(names)) < len(names):
        raise ConfigError(f"each suspect needs a name of its own, got {', '.join(names)}")
    data = attribute_comparisons(comparisons, attributes)
    of_trial, scale = {}, dict(zip(data.names, data.scale.tolist(), strict=True))
    for name, values in trial_covariates.items():
        of_trial[name], scale[name] = _trial_column(name, values, data)
    if side:
        of_trial[SIDE], scale[SIDE] = np.ones(len(comparisons.first)), 1.0
    systems, dummies = _systems(data, system_of)
    of_item = dict(zip(data.names, data.values.T, strict=True)) | dummies
    return _Terms(data, systems, of_item, of_trial, scale)


def _trial_column(
    name: str, values: ArrayLike, data: AttributedComparisons
) -> tuple[FloatArray, float]:
    column, n = np.asarray(values, dtype=np.float64), len(data.comparisons.first)
    if column.shape != (n,) or not np.isfinite(column).all():
        raise DataError(f"the trial covariate '{name}' must be {n} finite values")
    size = float(np.sqrt(np.mean(column[data.used] ** 2)))
    if size == 0:
        raise DataError(f"the trial covariate '{name}' is zero in all comparisons; leave it out")
    return column / size, size


def _systems(
    data: AttributedComparisons, system_of: Mapping[str, str] | None
) -> tuple[tuple[str, ...], dict[str, FloatArray]]:
    """The compared systems, and for each but the first which items are of it."""
    if system_of is None:
        return (), {}
    c, used = data.comparisons, data.used
    compared = np.unique(np.concatenate([c.first[used], c.second[used]]))
    missing = [c.items[k] for k in compared if c.items[k] not in system_of]
    if missing:
        raise DataError(f"expected a system for each clip, found none for '{missing[0]}'")
    systems, code = encode([system_of[c.items[k]] for k in compared])
    if len(systems) < 2:
        raise DataError(f"expected clips of at least 2 systems, got only '{systems[0]}'")
    dummies = {}
    for s, system in enumerate(systems[1:], start=1):
        dummies[_term(system)] = np.zeros(len(c.items))
        dummies[_term(system)][compared[code == s]] = 1.0
    return systems, dummies


def _effects(terms: _Terms, after: CovariateFit, level: float) -> tuple[ConfounderEffect, ...]:
    suspects = terms.suspects
    at = [after.names.index(name) for name in suspects]
    alone = [terms.fit([name]) for name in suspects]
    ratios = [_ratio_without(terms, after, name) for name in suspects]
    ratio_p_holm = holm_adjusted([ratio.p_value for ratio in ratios])
    clustered = holm_adjusted([two_sided_p(after, k) for k in at])
    p_holm = clustered if after.n_raters > 1 else ratio_p_holm
    return tuple(
        ConfounderEffect(
            name=name,
            scale=terms.scale[name],
            alone=interval_of(alone[j], 0, level),
            alone_ratio=alone[j].likelihood_ratio(),
            adjusted=interval_of(after, at[j], level),
            adjusted_ratio=ratios[j],
            ratio_p_holm=float(ratio_p_holm[j]),
            p_holm=float(p_holm[j]),
        )
        for j, name in enumerate(suspects)
    )


def _ratio_without(terms: _Terms, after: CovariateFit, name: str) -> LikelihoodRatio:
    """The test of one term beside all others."""
    others = [other for other in after.names if other != name]
    return after.likelihood_ratio(terms.fit(others) if others else None)


def _shifts(
    systems: tuple[str, ...], before: CovariateFit, after: CovariateFit, level: float
) -> tuple[SystemShift, ...]:
    """Centred log-worths of both fits; the error of a change is that of raters' joint influence."""
    at = [after.names.index(name) for name in before.names]
    worth = [_centred(part) for part in (before.coefficients, after.coefficients[at])]
    moved = _centred(after.influence[at]) - _centred(before.influence)
    shifts = []
    for s, system in enumerate(systems):
        change = float(worth[1][s] - worth[0][s])
        method = f"change of the log-worth of '{system}'"
        estimate = (
            clustered_interval(change, moved[s], level, after.n, method)
            if after.n_raters > 1
            else Estimate(change, np.nan, np.nan, level, after.n, 1, f"{method}; one rater")
        )
        shifts.append(SystemShift(system, float(worth[0][s]), float(worth[1][s]), estimate))
    return tuple(shifts)


def _centred(of_dummies: FloatArray) -> FloatArray:
    """Rows `[systems - 1, ...]` with the reference system's zero put first, minus their mean."""
    full = np.concatenate([np.zeros((1, *of_dummies.shape[1:])), of_dummies])
    centred: FloatArray = full - full.mean(axis=0)
    return centred


def _verdict(
    effects: tuple[ConfounderEffect, ...], shifts: tuple[SystemShift, ...], alpha: float
) -> str:
    beside = " beside the systems" if shifts else ""
    found = [effect for effect in effects if effect.p_holm <= alpha]
    tested = ", ".join(effect.name for effect in effects)
    if not found:
        return (
            f"None of {tested} explains votes{beside} (Holm-corrected at {alpha:g}); this does not "
            "prove that they have no effect."
        )
    names = ", ".join(
        f"{effect.name} (votes lean to {effect.favours}, p = {effect.p_holm:.2g})"
        for effect in found
    )
    return f"Explaining votes{beside}: {names}.{_consequence(shifts)}"


def _consequence(shifts: tuple[SystemShift, ...]) -> str:
    if not shifts:
        return ""
    largest = max(shifts, key=lambda shift: abs(shift.change.value))
    swapped = [
        f"{a.system} and {b.system}"
        for k, a in enumerate(shifts)
        for b in shifts[k + 1 :]
        if (a.before - b.before) * (a.after - b.after) < 0
    ]
    order = f"the order of {', '.join(swapped)} reverses" if swapped else "their order stays"
    return (
        f" With the suspects held equal, the log-worth of {largest.system} changes most, by "
        f"{largest.change.value:+.2f}, and {order}."
    )


def _term(system: str) -> str:
    return f"system {system}"
