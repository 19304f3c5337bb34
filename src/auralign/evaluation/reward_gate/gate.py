"""May a signal serve as a reward here? Held to a study's listeners, to trivial measures, to tricks.

Every test has its number, and the verdict is that of the worst of them: a policy that is trained on
a reward finds out about the one test that it fails.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from auralign.errors import DataError
from auralign.evaluation.reward_gate.gate_ladders import ladder_test
from auralign.evaluation.reward_gate.gate_probes import (
    GateTest,
    Probed,
    TestVerdict,
    probe,
    swap_test,
)
from auralign.evaluation.reward_gate.rewards_under_test import RewardUnderTest, values_of
from auralign.evaluation.validity.answers import Answers, study_answers
from auralign.evaluation.validity.items import StudyItems
from auralign.evaluation.validity.measured import UNKNOWN, baselines, from_judgements
from auralign.evaluation.validity.pair_accuracy import accuracy, gain, in_the_suiting_direction
from auralign.evaluation.validity.pair_shares import Units
from auralign.evaluation.validity.trust import FEWEST_PAIRS, LEAST_ACCURACY, LEAST_GAIN
from auralign.stats.arrays import FloatArray
from auralign.stats.intervals import check_level
from auralign.types import Estimate, Score, Split

Verdict = Literal["passed", "failed", "cannot tell"]

LEAST_COVERAGE = 0.95
"""Share of the judged clips that a reward has to have a value for."""

CLIPS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class GateReport:
    """Whether a signal may serve as a reward for clips like those of a study, and why.

    verdict   `passed` where every test that applies passes, `failed` where one fails
    """

    signal: str
    version: str
    options: Mapping[str, Any]
    study: str
    simulated: bool
    dimension: str
    verdict: Verdict
    tests: tuple[GateTest, ...]
    level: float
    n_answers: int
    n_clips: int
    n_systems: int
    n_prompts: int
    warnings: tuple[str, ...] = field(default=())


def gate_reward(
    study: str | os.PathLike[str],
    reward: RewardUnderTest,
    dimension: str | None = None,
    *,
    protocol: str | None = None,
    condition: str | None = None,
    split: str | None = None,
    n_pairs: int = 60,
    n_ladders: int = 8,
    level: float = 0.95,
    rng: np.random.Generator,
) -> GateReport:
    """Put a reward through every test that the study allows.

    split       only prompts of this split, for a model that was trained on others
    n_pairs     judged pairs, drawn at random, whose clips are tampered with
    n_ladders   clips, those that listeners like best, that are degraded rung by rung

    Without audio only what `auralign score` or an importer left in the study can be held to its
    listeners, and the verdict is at best that nobody can tell. Raises DataError for a study without
    answers, or without audio and values.
    """
    check_level(level)
    answers = study_answers(
        study, dimension, protocol=protocol, condition=condition, split=split, rng=rng
    )
    if answers.dimension in answers.folder.header.descriptive_dimensions:
        raise DataError(f"'{answers.dimension}' describes and does not judge: it has no better")
    values, reasons = _values(answers, reward)
    tests = [_coverage(values, reasons), *_against_listeners(answers, values, level, rng)]
    tests += _tampering(answers, values, reward, n_pairs, n_ladders, level, rng)
    header = answers.folder.header
    return GateReport(
        signal=reward.name,
        version=reward.version,
        options=reward.options,
        study=header.name,
        simulated=header.simulated,
        dimension=answers.dimension,
        verdict=verdict_of(tests),
        tests=tuple(tests),
        level=level,
        n_answers=len(answers.judgements),
        n_clips=len(answers.clips),
        n_systems=len(answers.systems),
        n_prompts=answers.n_prompts,
        warnings=(*answers.warnings, *_about_training(answers, reward)),
    )


def verdict_of(tests: Sequence[GateTest]) -> Verdict:
    """That of the worst test; those that do not apply do not count."""
    verdicts = {test.verdict for test in tests}
    if "fail" in verdicts:
        return "failed"
    return "cannot tell" if "cannot tell" in verdicts else "passed"


def _about_training(answers: Answers, reward: RewardUnderTest) -> Iterator[str]:
    asked = {clip.prompt_id for clip in answers.clips}
    trained = [p for p in answers.folder.prompts() if p.id in asked and p.split is Split.TRAIN]
    if reward.is_trained and trained:
        yield (
            f"{len(trained)} of {len(asked)} prompts are of the split 'train': what the model was "
            "trained on says nothing of what it learned (see --split)"
        )


def _values(answers: Answers, reward: RewardUnderTest) -> tuple[FloatArray, Counter[str]]:
    """The value of each judged clip, and why others have none."""
    if not answers.folder.header.has_audio:
        known = {each.name: each for each in from_judgements(answers.folder)}
        if reward.name not in known:
            raise DataError(
                f"{answers.folder.path} has no audio, and no values of '{reward.name}' among its "
                f"judgements; there are {', '.join(known) or 'none'}"
            )
        return known[reward.name].of(answers.clips), Counter()
    items = StudyItems(answers.folder)
    scores: list[Score] = []
    for begin in range(0, len(answers.clips), CLIPS_AT_ONCE):
        some = answers.clips[begin : begin + CLIPS_AT_ONCE]
        scores += reward.ask([items.of(clip) for clip in some])
    return values_of(scores), Counter(s.reason for s in scores if s.value is None)


def _coverage(values: FloatArray, reasons: Counter[str]) -> GateTest:
    n, known = len(values), int(np.isfinite(values).sum())
    why = (
        f"; {', '.join(f'{k} {reason}' for reason, k in reasons.most_common(3))}" if reasons else ""
    )
    return GateTest(
        "coverage",
        "pass" if known >= LEAST_COVERAGE * n else "fail",
        f"{known} of {n} judged clips have a value{why}",
        number=known / n,
        limit=LEAST_COVERAGE,
    )


def _against_listeners(
    answers: Answers, values: FloatArray, level: float, rng: np.random.Generator
) -> Iterator[GateTest]:
    pairs, units = answers.pairs, Units.of(answers.system, answers.prompt)
    yield _chance(accuracy(values, pairs, units, rng=rng, level=level))
    trivial, absent = baselines(answers.folder, answers.clips, {})
    for name, given in trivial.items():
        best = in_the_suiting_direction(given, pairs)
        yield _better_than(name, gain(values, best, pairs, units, rng=rng, level=level))
    for name, reason in absent.items():
        verdict: TestVerdict = "cannot tell" if reason == UNKNOWN else "not applicable"
        yield GateTest(f"better than {name}", verdict, reason)


def _chance(found: Estimate) -> GateTest:
    name, limit = "pair accuracy", LEAST_ACCURACY
    if found.n < FEWEST_PAIRS or not math.isfinite(found.low):
        return GateTest(name, "cannot tell", f"{found.n} decided pairs are too few", found)
    verdict: TestVerdict = "cannot tell"
    if found.high < limit:
        verdict = "fail"
    elif found.low > 0.5 and found.value >= limit:
        verdict = "pass"
    words = f"agrees on {found.value:.1%} of {found.n} decided pairs; chance is 50 %"
    return GateTest(name, verdict, words, found, limit)


def _better_than(name: str, found: Estimate) -> GateTest:
    test = f"better than {name}"
    if found.n < FEWEST_PAIRS or not math.isfinite(found.low):
        return GateTest(test, "cannot tell", f"{found.n} pairs are too few", found)
    verdict: TestVerdict = "cannot tell"
    if found.low > 0:
        verdict = "pass"
    elif found.high < LEAST_GAIN:
        verdict = "fail"
    side = "more" if found.value >= 0 else "less"
    points = f"{100 * abs(found.value):.1f} points {side}"
    words = f"agrees with listeners on {points} of {found.n} pairs than {name} alone"
    return GateTest(test, verdict, words, found, 0.0)


def _tampering(
    answers: Answers,
    values: FloatArray,
    reward: RewardUnderTest,
    n_pairs: int,
    n_ladders: int,
    level: float,
    rng: np.random.Generator,
) -> list[GateTest]:
    if not answers.folder.header.has_audio:
        names = ("swap", "gain", "length", "silence", "noise", "text", "ladders")
        return [GateTest(name, "cannot tell", "needs audio") for name in names]
    probed = Probed.draw(answers, values, reward, n_pairs, rng)
    if probed is None:
        return [GateTest("differences", "fail", "it says the same of both clips of every pair")]
    return [
        swap_test(probed, level),
        *probe(probed, level, rng),
        ladder_test(answers, reward, n_ladders, level, rng),
    ]
