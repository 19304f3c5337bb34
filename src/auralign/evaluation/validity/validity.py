"""Which signals to trust in a study: each against the answers of its listeners, and baselines."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auralign.errors import AuralignError, DataError
from auralign.evaluation.validity.answers import Answers, study_answers
from auralign.evaluation.validity.ceiling import listeners_accuracy
from auralign.evaluation.validity.measured import (
    BASELINES,
    UNKNOWN,
    Attributes,
    Measured,
    baselines,
    from_attributes,
    from_judgements,
    from_results,
)
from auralign.evaluation.validity.pair_accuracy import (
    accuracy,
    fold_of_pairs,
    gain,
    in_the_suiting_direction,
    tie_calibrated,
)
from auralign.evaluation.validity.pair_shares import FEWEST_SYSTEMS, Units
from auralign.evaluation.validity.rank_agreement import (
    clip_correlation,
    system_correlation,
    system_worths,
)
from auralign.evaluation.validity.trust import Trust, trust_in_pairs, trust_in_systems
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate

MANY_SIGNALS = 10
"""From so many on, the best is partly the luckiest."""


@dataclass(frozen=True, slots=True)
class SignalValidity:
    """One signal against the answers; what does not exist is None, with the reason in `missing`.

    n_scored        of the `n_clips` judged clips have a value
    accuracy        share of decided pairs that it decides alike; `clear` and `close` are those of
                    the half of the pairs on which listeners were more and less decided
    tie_calibrated  acc_eq with the threshold `tie_threshold`, in the signal's unit
    gains           its accuracy minus that of each baseline
    clips, systems  rank correlation with what listeners say of clips, and of systems
    """

    signal: str
    direction: str
    n_clips: int
    n_scored: int
    accuracy: Estimate | None
    clear: Estimate | None
    close: Estimate | None
    tie_calibrated: Estimate | None
    tie_threshold: float | None
    gains: Mapping[str, Estimate]
    clips: Estimate | None
    systems: Estimate | None
    trust_in_pairs: Trust
    trust_in_systems: Trust
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StudyValidity:
    """The signals of a study, the most accurate first, and what to hold them against.

    baselines   trivial measures, each in the direction that suits it best here
    listeners   how well listeners predict each other on such pairs, where that can be known
    """

    study: str
    simulated: bool
    dimension: str
    protocol: str
    source: str
    level: float
    n_answers: int
    n_pairs: int
    n_clips: int
    n_systems: int
    n_prompts: int
    intervals: str
    signals: tuple[SignalValidity, ...]
    baselines: tuple[SignalValidity, ...]
    listeners: Estimate | None
    missing: Mapping[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Bench:
    """What every signal of a study is held to."""

    answers: Answers
    units: Units
    folds: IntArray
    worths: FloatArray | None
    why_no_worths: str
    against: Mapping[str, FloatArray]
    absent: Mapping[str, str]
    level: float
    rng: np.random.Generator

    @property
    def unknown(self) -> list[str]:
        """Baselines that could be rivals, for all one knows."""
        return [name for name, reason in self.absent.items() if reason == UNKNOWN]


def validate_signals(
    study: str | os.PathLike[str],
    dimension: str | None = None,
    *,
    scores: str | os.PathLike[str] | None = None,
    attributes: Attributes | None = None,
    protocol: str | None = None,
    condition: str | None = None,
    split: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyValidity:
    """Hold every signal that has scored a study to what its listeners said.

    dimension    that was judged; `overall`, or the only one, when None
    scores       results of `auralign score`; when None, the judgements of source `metric`
    attributes   further measures: name -> {clip id or system: value}, more is better; those with
                 the names of baselines are such, and more of them is not taken for better

    Intervals resample systems where there are at least 5, else prompts, and then hold for these
    systems only. Raises DataError for a study without answers of listeners, or without scores.
    """
    check_level(level)
    answers = study_answers(
        study, dimension, protocol=protocol, condition=condition, split=split, rng=rng
    )
    measured, remarks = _measured(answers, scores, attributes or {})
    bench = _bench(answers, attributes or {}, level, rng)
    signals = [_validity(m.name, m.direction, m.of(answers.clips), bench) for m in measured]
    trivial = tuple(_about_baseline(name, bench) for name in bench.against)
    missing: dict[str, str] = {}
    listeners = _or_missing(
        "listeners", missing, lambda: listeners_accuracy(answers, bench.units, level, rng)
    )
    header = answers.folder.header
    return StudyValidity(
        study=header.name,
        simulated=header.simulated,
        dimension=answers.dimension,
        protocol=str(answers.protocol),
        source=str(answers.source),
        level=level,
        n_answers=len(answers.judgements),
        n_pairs=len(answers.pairs.first),
        n_clips=len(answers.clips),
        n_systems=len(answers.systems),
        n_prompts=answers.n_prompts,
        intervals=_about_intervals(answers, bench.units),
        signals=tuple(sorted(signals, key=_by_accuracy)),
        baselines=trivial,
        listeners=listeners,
        missing={**bench.absent, **missing},
        warnings=(
            *answers.warnings,
            *remarks,
            *_about_pairs(answers),
            *_about_baselines(trivial, listeners),
            *_about_choosing(signals),
        ),
    )


def _measured(
    answers: Answers, scores: str | os.PathLike[str] | None, attributes: Attributes
) -> tuple[list[Measured], list[str]]:
    found, descriptive = (
        (from_judgements(answers.folder), []) if scores is None else from_results(scores)
    )
    more = {name: of for name, of in attributes.items() if name not in BASELINES}
    found += from_attributes(more, answers.clips)
    found = [each for each in found if np.isfinite(each.of(answers.clips)).any()]
    if not found:
        raise DataError(
            f"{answers.folder.path}: no signal has a value for a judged clip: run `auralign score "
            f"--study {answers.folder.path} --out scores.jsonl` first"
        )
    remark = f"left out, because they describe and do not judge: {', '.join(descriptive)}"
    return found, [remark] if descriptive else []


def _bench(
    answers: Answers, attributes: Attributes, level: float, rng: np.random.Generator
) -> _Bench:
    units = Units.of(answers.system, answers.prompt)
    worths, why = None, ""
    try:
        worths = system_worths(answers)
    except AuralignError as error:
        why = str(error)
    trivial, absent = baselines(answers.folder, answers.clips, attributes)
    return _Bench(
        answers=answers,
        units=units,
        folds=fold_of_pairs(answers.prompt, answers.pairs, rng),
        worths=worths,
        why_no_worths=why,
        against={n: in_the_suiting_direction(v, answers.pairs) for n, v in trivial.items()},
        absent=absent,
        level=level,
        rng=rng,
    )


def _about_baseline(name: str, bench: _Bench) -> SignalValidity:
    """The same numbers; whether to trust it is not the question."""
    found = _validity(name, "baseline", bench.against[name], replace(bench, against={}))
    beside = Trust("cannot tell", "a baseline: signals are held against it")
    return replace(found, trust_in_pairs=beside, trust_in_systems=beside)


def _validity(name: str, direction: str, values: FloatArray, bench: _Bench) -> SignalValidity:
    pairs, units, rng, level = bench.answers.pairs, bench.units, bench.rng, bench.level
    missing: dict[str, str] = {}
    right = accuracy(values, pairs, units, rng=rng, level=level)
    calibrated, threshold = tie_calibrated(values, pairs, bench.folds, units, rng=rng, level=level)
    gains = {
        other: gain(values, trivial, pairs, units, rng=rng, level=level)
        for other, trivial in bench.against.items()
    }
    clear, close = _by_margin(values, bench)
    systems = _or_missing("systems", missing, lambda: _systems(values, bench))
    return SignalValidity(
        signal=name,
        direction=direction,
        n_clips=len(values),
        n_scored=int(np.isfinite(values).sum()),
        accuracy=_if_any(right),
        clear=clear,
        close=close,
        tie_calibrated=_if_any(calibrated),
        tie_threshold=threshold if math.isfinite(calibrated.value) else None,
        gains=gains,
        clips=_or_missing(
            "clips",
            missing,
            lambda: clip_correlation(values, bench.answers, units, rng=rng, level=level),
        ),
        systems=systems,
        trust_in_pairs=trust_in_pairs(right, gains, bench.unknown),
        trust_in_systems=trust_in_systems(systems, missing.get("systems", "")),
        missing=missing,
    )


def _systems(values: FloatArray, bench: _Bench) -> Estimate:
    if bench.worths is None:
        raise DataError(bench.why_no_worths)
    return system_correlation(values, bench.answers, bench.worths, rng=bench.rng, level=bench.level)


def _by_margin(values: FloatArray, bench: _Bench) -> tuple[Estimate | None, Estimate | None]:
    """Accuracy where listeners were at least as decided as on half of the pairs, and elsewhere."""
    pairs, margin = bench.answers.pairs, bench.answers.margin
    decided = pairs.outcome != 0.5
    if not decided.any():
        return None, None
    clear = decided & (margin >= np.median(margin[decided]))
    halves = [
        accuracy(values, pairs, bench.units, rng=bench.rng, level=bench.level, rows=rows)
        for rows in (clear, decided & ~clear)
    ]
    return _if_any(halves[0]), _if_any(halves[1])


def _if_any(estimate: Estimate) -> Estimate | None:
    return estimate if math.isfinite(estimate.value) else None


def _or_missing(
    name: str, missing: dict[str, str], compute: Callable[[], Estimate]
) -> Estimate | None:
    try:
        return compute()
    except AuralignError as error:
        missing[name] = str(error)
        return None


def _by_accuracy(found: SignalValidity) -> tuple[float, str]:
    return (-found.accuracy.value if found.accuracy else math.inf), found.signal


def _about_intervals(answers: Answers, units: Units) -> str:
    if units.name == "systems":
        return f"over {len(answers.systems)} systems, as if others had been judged"
    return (
        f"over {answers.n_prompts} prompts; with fewer than {FEWEST_SYSTEMS} systems they hold for "
        f"{' and '.join(answers.systems)} only"
    )


def _about_pairs(answers: Answers) -> Iterable[str]:
    if answers.n_prompts > 1 and not answers.within_prompts:
        yield "no two clips answer one prompt, so the pairs are of clips of different prompts"
    if FEWEST_SYSTEMS <= len(answers.systems) < 10:
        yield f"{len(answers.systems)} systems are few: a correlation over them says little"


def _about_choosing(signals: Sequence[SignalValidity]) -> Iterable[str]:
    if len(signals) >= MANY_SIGNALS:
        yield (
            f"{len(signals)} signals were tried on the same answers: the best of them looks better "
            "here than it is, so confirm it in another study"
        )


def _about_baselines(
    baselines: Iterable[SignalValidity], listeners: Estimate | None
) -> Iterable[str]:
    for each in baselines:
        if listeners and each.accuracy and each.accuracy.value >= listeners.value:
            yield (
                f"{each.signal} alone agrees with listeners as often as they do with each other: "
                "here no signal can add much to it"
            )
