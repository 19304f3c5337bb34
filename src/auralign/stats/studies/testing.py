"""Tests of differences between the systems of a study, with the family of tests named."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, sum_by
from auralign.stats.comparisons import encode
from auralign.stats.hypotheses.ab import ab_test
from auralign.stats.hypotheses.friedman import friedman_test
from auralign.stats.hypotheses.multiplicity import benjamini_hochberg, holm
from auralign.stats.hypotheses.result import FamilyOfTests, HypothesisTest
from auralign.stats.hypotheses.wilcoxon import wilcoxon_signed_rank
from auralign.stats.intervals import check_level
from auralign.stats.ratings.table import rating_value
from auralign.stats.studies.listener_groups import PairByGroup, pairs_by_group
from auralign.stats.studies.selection import Selection, select_judgements, systems_of
from auralign.types import Estimate, TrialProtocol

Adjustment = Literal["holm", "bh"]
Block = Literal["auto", "rater", "prompt"]

_ADJUST: Mapping[str, Callable[..., FamilyOfTests]] = {"holm": holm, "bh": benjamini_hochberg}


@dataclass(frozen=True, slots=True)
class SystemTest:
    """One pair of systems: the effect (a win rate, or a median difference), and its test."""

    first: str
    second: str
    effect: Estimate
    test: HypothesisTest
    p_adjusted: float


@dataclass(frozen=True, eq=False)
class StudyTests:
    """Tests between the systems of a study on one dimension.

    omnibus   Friedman's test that no system differs; None with `omnibus_reason`
    block     what counts as one independent observation
    family    which tests `adjustment` accounts for
    groups    the same pairs by group of listeners; empty unless groups were given
    """

    study: str
    simulated: bool
    dimension: str
    protocol: str
    level: float
    block: str
    omnibus: HypothesisTest | None
    omnibus_reason: str
    family: str
    adjustment: str
    tests: tuple[SystemTest, ...]
    groups: tuple[PairByGroup, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to test, and how."""

    pairs: list[tuple[str, str]]
    adjustment: Adjustment
    level: float


def study_tests(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    between: tuple[str, str] | None = None,
    protocol: Literal["pair", "rating"] | None = None,
    condition: str | None = None,
    block: Block = "auto",
    adjustment: Adjustment = "holm",
    groups: Mapping[str, str] | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyTests:
    """Test all pairs of systems, or those of `between`, adjusted for their number.

    Comparisons: the votes on each pair with listeners' signs flipped whole (`sign_flip_test`), or
    the sign test where every rater answered once; the effect is the win rate (`win_rate`). Ratings:
    Friedman's test of all systems, then Wilcoxon's signed-rank test of each pair, on the means of
    `block`: of each rater, or of each prompt (`auto`: raters, if all of them rated every system).
    With `groups`, rater -> group, each pair's win rate is given for each group of listeners too
    (`group_win_rates`): who likes a system least, and how far the groups are apart. Raises
    `DataError` or `ConfigError` for input that cannot be used.
    """
    check_level(level)
    if adjustment not in _ADJUST or block not in get_args(Block):
        raise ConfigError(
            f"adjustment must be one of {', '.join(_ADJUST)} and block one of "
            f"{', '.join(get_args(Block))}, got '{adjustment}' and '{block}'"
        )
    selection = select_judgements(study, dimension, protocol=protocol, condition=condition)
    plan = _Plan(_pairs(selection, between), adjustment, level)
    if groups is not None and selection.protocol is not TrialProtocol.PAIR:
        raise ConfigError("groups of listeners are compared by their votes, in pair judgements")
    if selection.protocol is TrialProtocol.PAIR:
        found = _test_votes(selection, plan, rng)
        return found if groups is None else _with_groups(found, selection, plan, groups, rng)
    if selection.protocol is TrialProtocol.RATING:
        return _test_ratings(selection, plan, block)
    raise DataError(f"tests need pair or rating judgements, got {selection.protocol.value} ones")


def _pairs(selection: Selection, between: tuple[str, str] | None) -> list[tuple[str, str]]:
    systems = sorted({item for j in selection.judgements for item in selection.items(j)})
    for name in between or ():
        if name not in systems:
            raise DataError(
                f"no judgement on '{selection.dimension}' is about the system '{name}'"
                f"{did_you_mean(name, systems)}; there are {', '.join(systems)}"
            )
    if between and between[0] == between[1]:
        raise ConfigError(f"expected two different systems to test, got '{between[0]}' twice")
    return [between] if between else list(combinations(systems, 2))


def _test_votes(selection: Selection, plan: _Plan, rng: np.random.Generator) -> StudyTests:
    systems = systems_of(selection)
    met = {frozenset(selection.items(j)) for j in selection.judgements}
    tests: dict[tuple[str, str], tuple[Estimate, HypothesisTest]] = {}
    warnings: list[str] = []
    for first, second in plan.pairs:
        if frozenset((first, second)) not in met:
            warnings.append(f"'{first}' and '{second}' were never compared")
            continue
        found = ab_test(
            selection.judgements,
            selection.dimension,
            systems,
            system=first,
            baseline=second,
            rng=rng,
            level=plan.level,
        )
        warnings += [f"{first} and {second}: {text}" for text in found.warnings]
        test = found.sign_flip if selection.raters_repeat else found.sign_test
        if test is None:
            warnings.append(f"{first} and {second}: one listener or ties only, so no test")
            continue
        tests[first, second] = found.win_rate, test
    block = "rater" if selection.raters_repeat else "answer"
    return _result(
        selection, plan, tests, block, (None, "Friedman's test is for ratings"), warnings
    )


def _with_groups(
    found: StudyTests,
    selection: Selection,
    plan: _Plan,
    groups: Mapping[str, str],
    rng: np.random.Generator,
) -> StudyTests:
    by_group, remarks = pairs_by_group(
        selection,
        [(test.first, test.second) for test in found.tests],
        groups,
        adjust=_ADJUST[plan.adjustment],
        level=plan.level,
        rng=rng,
    )
    return replace(found, groups=by_group, warnings=(*found.warnings, *remarks))


def _test_ratings(selection: Selection, plan: _Plan, block: Block) -> StudyTests:
    systems = sorted({item for pair in plan.pairs for item in pair})
    of_raters = _means(selection, systems, [j.rater for j in selection.judgements])
    by_rater = block == "rater" or (block == "auto" and bool(np.isfinite(of_raters).all()))
    prompts = [j.prompt_id for j in selection.judgements]
    values = of_raters if by_rater else _means(selection, systems, prompts)
    tests: dict[tuple[str, str], tuple[Estimate, HypothesisTest]] = {}
    apart: list[str] = []
    warnings: list[str] = []
    for first, second in plan.pairs:
        difference = values[:, systems.index(first)] - values[:, systems.index(second)]
        # Rounding errors of means would make ties different and zeros something.
        difference = np.round(difference[np.isfinite(difference)], 9)
        if not len(difference):
            apart.append(f"{first} and {second}")
            continue
        try:
            test = wilcoxon_signed_rank(difference, level=plan.level)
        except DataError as error:
            warnings.append(f"{first} and {second}: {error}")
            continue
        assert test.effect is not None, "a signed-rank test estimates the median difference"
        tests[first, second] = test.effect, test
    name = "rater" if by_rater else "prompt"
    if apart:
        warnings.append(f"{len(apart)} pairs have no {name} in common, such as {apart[0]}: no test")
    return _result(selection, plan, tests, name, _friedman(values), warnings)


def _means(selection: Selection, systems: Sequence[str], blocks: Sequence[str]) -> FloatArray:
    """Mean ratings `[block, system]`; NaN where a block holds none of a system."""
    names, block = encode(blocks)
    place = {system: k for k, system in enumerate(systems)}
    item = [place.get(selection.items(j)[0], -1) for j in selection.judgements]
    kept = np.array(item) >= 0
    cell = (block * len(systems) + np.array(item))[kept]
    rating = np.array([rating_value(j) for j in selection.judgements])[kept]
    n_cells = len(names) * len(systems)
    means = np.full(n_cells, np.nan)
    size = sum_by(cell, np.ones(len(cell)), n_cells)
    np.divide(sum_by(cell, rating, n_cells), size, out=means, where=size > 0)
    return means.reshape(len(names), len(systems))


def _friedman(values: FloatArray) -> tuple[HypothesisTest | None, str]:
    try:
        return friedman_test(values).f, ""
    except (DataError, NotConvergedError) as error:
        return None, str(error)


def _result(
    selection: Selection,
    plan: _Plan,
    tests: Mapping[tuple[str, str], tuple[Estimate, HypothesisTest]],
    block: str,
    omnibus: tuple[HypothesisTest | None, str],
    warnings: Sequence[str],
) -> StudyTests:
    if not tests:
        raise DataError(f"no two systems can be tested: {'; '.join(warnings)}")
    count = "all pairs" if len(tests) > 1 else "one pair"
    family = f"{count} of systems on '{selection.dimension}': {len(tests)} tests"
    labelled = {f"{first} - {second}": test for (first, second), (_, test) in tests.items()}
    adjusted = _ADJUST[plan.adjustment](labelled, family=family)
    rows = zip(tests.items(), adjusted.tests, strict=True)
    simulated = ("all listeners are simulated: programs, not people",)
    return StudyTests(
        study=selection.study,
        simulated=selection.simulated,
        dimension=selection.dimension,
        protocol=selection.protocol.value,
        level=plan.level,
        block=block,
        omnibus=omnibus[0],
        omnibus_reason=omnibus[1],
        family=family,
        adjustment=adjusted.adjustment,
        tests=tuple(
            SystemTest(first, second, effect, test, row.p_adjusted)
            for ((first, second), (effect, test)), row in rows
        ),
        groups=(),
        warnings=(
            *selection.warnings,
            *(simulated if selection.simulated else ()),
            *dict.fromkeys(warnings),
        ),
    )
