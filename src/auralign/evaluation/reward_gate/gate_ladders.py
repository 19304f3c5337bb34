"""Whether a reward falls where a clip is degraded, rung by rung."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from auralign.errors import DataError
from auralign.evaluation.reward_gate.gate_probes import GateTest, TestVerdict
from auralign.evaluation.reward_gate.rewards_under_test import RewardUnderTest, values_of
from auralign.evaluation.validity.answers import Answers
from auralign.evaluation.validity.items import StudyItems
from auralign.preferences.ladders import OPERATIONS, Ladder, Recording, build_ladder, ladder_seed
from auralign.signals.signal import Item
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.proportions import clustered_share
from auralign.types import Clip, Estimate

LADDERS = ("noise/white", "clip/quantile", "band/low_pass", "quantise/bits", "dropout/silence")
"""What can be done to any recording, in an order that nobody disputes."""

LEAST_ORDERED = 0.9
"""Share of clear orders that a reward gets right where it holds, and wrong where it is inverted."""

OF_QUALITY = frozenset({"production_quality", "overall"})


def ladder_test(
    answers: Answers, reward: RewardUnderTest, n_clips: int, level: float, rng: np.random.Generator
) -> GateTest:
    """Fails where damage is paid for, and where a reward for quality hears no damage at all.

    The clips are those that listeners like best, as what is bad already hardly gets worse. The
    control of each ladder is the reference of its rungs.
    """
    clips = _liked_best(answers, n_clips)
    details = {}
    for name in LADDERS:
        orders = list(_orders(name, clips, StudyItems(answers.folder), reward, rng))
        if orders:
            right, cluster = (np.array(column) for column in zip(*orders, strict=True))
            details[name] = clustered_share(right, np.ones(len(right)), cluster, level=level)
    if not details:
        return GateTest("ladders", "not applicable", "no rung of a ladder has a value")
    return _judged(details, bool(OF_QUALITY & set(reward.dimensions)))


def _judged(details: dict[str, Estimate], is_of_quality: bool) -> GateTest:
    holds = [name for name, share in details.items() if share.value >= LEAST_ORDERED]
    inverted = [
        name
        for name, share in details.items()
        if share.value <= 1 - LEAST_ORDERED or share.high < 0.5
    ]
    blind = [name for name in details if name not in (*holds, *inverted)]
    failed = inverted or (is_of_quality and not holds)
    verdict: TestVerdict = "fail" if failed else "pass"
    words = "; ".join(
        f"{what} {', '.join(names)}"
        for what, names in (
            ("orders", holds),
            ("blind to", blind),
            ("likes the worse of", inverted),
        )
        if names
    )
    worst = min(details.values(), key=lambda share: share.value)
    return GateTest("ladders", verdict, words, worst, LEAST_ORDERED, details=details)


def _liked_best(answers: Answers, n: int) -> list[Clip]:
    """Clips of different prompts, the one of each that was liked best, and of those the best."""
    liked = answers.ratings if answers.ratings is not None else _shares(answers)
    best: dict[int, Clip] = {}
    for k in np.argsort(-liked, kind="stable"):
        best.setdefault(int(answers.prompt[k]), answers.clips[k])
    return list(best.values())[:n]


def _shares(answers: Answers) -> FloatArray:
    pairs, n = answers.pairs, len(answers.clips)
    won = sum_by(pairs.first, pairs.outcome, n) + sum_by(pairs.second, 1 - pairs.outcome, n)
    met: IntArray = np.bincount(pairs.first, minlength=n) + np.bincount(pairs.second, minlength=n)
    return won / np.maximum(met, 1)


def _orders(
    name: str,
    clips: Sequence[Clip],
    items: StudyItems,
    reward: RewardUnderTest,
    rng: np.random.Generator,
) -> Iterator[tuple[float, str]]:
    """For each clear order 1, 0 or for a tie 0.5, and the clip that it is of."""
    seed = int(rng.integers(2**31))
    for clip in clips:
        item = items.of(clip)
        recording = Recording(items.prompt(clip), item.audio)
        operation = OPERATIONS[name]
        try:
            ladder = build_ladder(recording, operation, seed=ladder_seed(seed, clip.id, operation))
        except DataError:
            continue
        yield from ((right, clip.id) for right in _right(ladder, item, reward))


def _right(ladder: Ladder, item: Item, reward: RewardUnderTest) -> Iterator[float]:
    control = ladder.rungs[0].audio
    rungs = [Item(r.clip_id, r.audio, control, item.text, item.label) for r in ladder.rungs]
    value = dict(zip((r.severity for r in ladder.rungs), values_of(reward.ask(rungs)), strict=True))
    for better, worse, clear in ladder.order():
        difference = value[better.severity] - value[worse.severity]
        if clear and np.isfinite(difference):
            yield float((1 + np.sign(difference)) / 2)
