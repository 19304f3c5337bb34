"""MUSHRA, multiple stimuli with hidden reference and anchor (ITU-R BS.1534-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray
from auralign.stats.hypotheses.friedman import FriedmanResult, friedman_test, wilcoxon_pairs
from auralign.stats.hypotheses.result import FamilyOfTests
from auralign.stats.means import mean_over_clusters
from auralign.stats.ratings.system_ratings import SystemRatings
from auralign.types import Estimate


@dataclass(frozen=True, slots=True)
class ScreeningRules:
    """When a listener is left out after the test.

    A listener goes who rates the hidden reference below `reference_below`, or the first anchor
    above `anchor_above`, in more than a share `tolerated` of the items. Items at which more than
    `easy_item` of the listeners rate that anchor so high are too easy to hold it against anyone.
    With `strict_order` one rating of an anchor above the reference, or of a lower anchor above a
    higher one, is enough.
    """

    name: str
    reference_below: float = 90.0
    anchor_above: float = 90.0
    tolerated: float = 0.15
    easy_item: float = 0.25
    strict_order: bool = False


SCREENING_RULES = {
    "BS.1534-3": ScreeningRules("BS.1534-3"),
    # Reported for the tests of MPEG-H 3D Audio: nothing is tolerated.
    "MPEG-H": ScreeningRules("MPEG-H", anchor_above=np.inf, tolerated=0.0, strict_order=True),
    "none": ScreeningRules("none", reference_below=-np.inf, anchor_above=np.inf),
}


@dataclass(frozen=True, slots=True)
class Screening:
    """Who is kept, why the others are not, and what else is conspicuous.

    outlier_share   for each listener the share of ratings beyond 1.5 interquartile ranges from the
                    quartiles of their item and system; a reason to look, nobody is left out for it
    """

    rules: str
    kept: tuple[str, ...]
    excluded: Mapping[str, str]
    easy_items: tuple[str, ...]
    outlier_share: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class MushraSystem:
    """One system, over all items or for one; the interval is Student's t over listeners."""

    system: str
    mean: Estimate
    median: float
    quartiles: tuple[float, float]


@dataclass(frozen=True, slots=True)
class MushraResult:
    """A MUSHRA test after screening; tests are on listeners' means over complete items.

    systems       all systems, reference and anchors too, best mean first
    items         the same for each item
    friedman      of the systems under test; None with fewer than 2 systems or listeners
    comparisons   all pairs of systems under test: Wilcoxon's signed-rank test, adjusted by Holm
    """

    screening: Screening
    systems: tuple[MushraSystem, ...]
    items: Mapping[str, tuple[MushraSystem, ...]]
    friedman: FriedmanResult | None
    comparisons: FamilyOfTests | None
    warnings: tuple[str, ...]


def analyse_mushra(
    ratings: SystemRatings,
    *,
    reference: str,
    anchors: Sequence[str],
    rules: ScreeningRules = SCREENING_RULES["BS.1534-3"],
    level: float = 0.95,
) -> MushraResult:
    """Post-screening, means and medians with intervals, and comparisons of systems.

    `reference` is the system of the hidden reference, `anchors` those of the anchors from the best
    (mid, 7 kHz) to the worst (low, 3.5 kHz). Raises `DataError` when ratings are not on 0 to 100,
    a named system was not rated, or screening leaves nobody.
    """
    screening = screen_listeners(ratings, reference=reference, anchors=anchors, rules=rules)
    kept = np.isin(ratings.raters, screening.kept)
    left = ratings.select(kept[ratings.rater])
    tested = [k for k, name in enumerate(ratings.systems) if name not in {reference, *anchors}]
    friedman, comparisons = _compare(left, tested)
    return MushraResult(
        screening,
        _summaries(left, level),
        {
            name: _summaries(left.select(left.item == k), level)
            for k, name in enumerate(left.items)
            if (left.item == k).any()
        },
        friedman,
        comparisons,
        _warnings(ratings, screening, len(tested), anchors, friedman),
    )


def screen_listeners(
    ratings: SystemRatings,
    *,
    reference: str,
    anchors: Sequence[str],
    rules: ScreeningRules = SCREENING_RULES["BS.1534-3"],
) -> Screening:
    """Apply named rules of post-screening (BS.1534-3, clause 4.1.2); raises as `analyse_mushra`.

    Shares are of the items that the listener rated, a repeated item with its mean.
    """
    cube = _checked_cube(ratings, reference, anchors)
    place = {name: k for k, name in enumerate(ratings.systems)}
    hidden = cube[:, :, place[reference]]
    reasons: dict[str, list[str]] = {name: [] for name in ratings.raters}
    _note(
        reasons, _too_often(hidden < rules.reference_below, hidden, rules), "hidden reference low"
    )
    easy = np.zeros(len(ratings.items), dtype=bool)
    if anchors:
        flagged, easy = _anchor_too_high(cube[:, :, place[anchors[0]]], rules)
        _note(reasons, flagged, f"anchor '{anchors[0]}' high")
    if rules.strict_order:
        ordered = cube[:, :, [place[name] for name in (reference, *anchors)]]
        violated = np.array([(np.diff(own, axis=1) > 0).any() for own in ordered])
        _note(reasons, violated, "order of reference and anchors violated")
    excluded = {name: "; ".join(found) for name, found in reasons.items() if found}
    kept = tuple(name for name in ratings.raters if name not in excluded)
    if not kept:
        raise DataError(
            f"the rules '{rules.name}' leave none of {len(reasons)} listeners: check which system "
            "is the reference, and the instructions that listeners got"
        )
    return Screening(
        rules=rules.name,
        kept=kept,
        excluded=excluded,
        easy_items=tuple(np.asarray(ratings.items)[easy].tolist()),
        outlier_share=dict(zip(ratings.raters, _outlier_share(cube).tolist(), strict=True)),
    )


def _checked_cube(ratings: SystemRatings, reference: str, anchors: Sequence[str]) -> FloatArray:
    if ratings.scale != (0.0, 100.0):
        raise DataError(f"MUSHRA ratings are on a scale from 0 to 100, got {ratings.scale}")
    missing = [name for name in (reference, *anchors) if name not in ratings.systems]
    if missing:
        raise DataError(f"no rating of '{missing[0]}'; rated systems: {', '.join(ratings.systems)}")
    if len({reference, *anchors}) != 1 + len(anchors):
        raise ConfigError(f"reference and anchors must differ, got {[reference, *anchors]}")
    return ratings.cube()


def _share(flags: BoolArray, counted: BoolArray, axis: int) -> FloatArray:
    n = counted.sum(axis=axis)
    share: FloatArray = np.zeros(n.shape)
    np.divide((flags & counted).sum(axis=axis), n, out=share, where=n > 0)
    return share


def _too_often(flags: BoolArray, values: FloatArray, rules: ScreeningRules) -> BoolArray:
    """Listeners with more flagged items `[rater, item]` than the rules tolerate."""
    return _share(flags, np.isfinite(values), axis=1) > rules.tolerated


def _anchor_too_high(anchor: FloatArray, rules: ScreeningRules) -> tuple[BoolArray, BoolArray]:
    """Listeners who rate the anchor `[rater, item]` high too often, and the items too easy."""
    high = anchor > rules.anchor_above
    easy = _share(high, np.isfinite(anchor), axis=0) > rules.easy_item
    return _too_often(high[:, ~easy], anchor[:, ~easy], rules), easy


def _note(reasons: dict[str, list[str]], flagged: BoolArray, reason: str) -> None:
    for name, is_flagged in zip(reasons, flagged, strict=True):
        if is_flagged:
            reasons[name].append(reason)


def _outlier_share(cube: FloatArray) -> FloatArray:
    shape = (len(cube), -1)
    values = cube.reshape(shape)
    values = values[:, np.isfinite(values).any(axis=0)]
    low, high = np.nanquantile(values, [0.25, 0.75], axis=0)
    margin = 1.5 * (high - low)
    return _share((values < low - margin) | (values > high + margin), np.isfinite(values), axis=1)


def _summaries(ratings: SystemRatings, level: float) -> tuple[MushraSystem, ...]:
    found = [_summary(ratings, k, level) for k in np.unique(ratings.system).tolist()]
    return tuple(sorted(found, key=lambda system: -system.mean.value))


def _summary(ratings: SystemRatings, system: int, level: float) -> MushraSystem:
    rows = ratings.system == system
    values = ratings.values[rows]
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    mean = mean_over_clusters(values, ratings.rater[rows], level=level)
    return MushraSystem(ratings.systems[system], mean, float(median), (float(low), float(high)))


def _compare(
    ratings: SystemRatings, tested: Sequence[int]
) -> tuple[FriedmanResult | None, FamilyOfTests | None]:
    """Listeners as blocks, with their means over the items at which they rated all systems."""
    cube = ratings.cube()[:, :, list(tested)]
    complete = [own[np.isfinite(own).all(axis=1)] for own in cube]
    blocks = [own.mean(axis=0) for own in complete if len(own)]
    if len(tested) < 2 or len(blocks) < 2:
        return None, None
    means = np.stack(blocks)
    names = [ratings.systems[k] for k in tested]
    family = f"all pairs of {len(names)} systems under test, listeners' means"
    comparisons = wilcoxon_pairs(means, names, family=family)
    try:
        return friedman_test(means), comparisons
    except NotConvergedError:
        return None, comparisons


def _warnings(
    ratings: SystemRatings,
    screening: Screening,
    n_tested: int,
    anchors: Sequence[str],
    friedman: FriedmanResult | None,
) -> tuple[str, ...]:
    found = {
        f"{len(screening.kept)} listeners are left after screening; BS.1534-3 asks for about 20": (
            len(screening.kept) < 20
        ),
        f"{len(ratings.items)} items for {n_tested} systems under test; BS.1534-3 asks for 1.5 "
        "times as many, at least 5": len(ratings.items) < max(5, 1.5 * n_tested),
        "BS.1534-3 asks for a low and a mid anchor": len(anchors) < 2,
        f"the anchor is rated too high by too many at {', '.join(screening.easy_items)}: these "
        "items do not count against a listener": bool(screening.easy_items),
        "systems under test cannot be compared: too few of them or of listeners who rated all, or "
        "no difference": friedman is None,
    }
    return tuple(text for text, holds in found.items() if holds)
