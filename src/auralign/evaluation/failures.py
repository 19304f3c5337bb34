"""Known failure signatures of preference alignment, each with its measured value and a verdict.

The signatures follow the published ones (arXiv 2511.13936 and the works it reviews): speech that
gets slow and over-clear, clips that drift in length, a metric that rises while listeners turn
away, chosen clips that become less likely, a policy far from its reference, samples that lose
their variety.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from auralign.types import Estimate

Verdict = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What one aligned policy shows next to its reference; NaN where it was not measured.

    rate_ratio           speaking rate after / before
    duration_ratio       clip duration after / before
    reward_change        mean reward after - before, logits
    win_rate             of the aligned policy by held-out listeners
    chosen_log_ratio     mean log p_policy - log p_reference of chosen clips, nats a code
    kl                   from the reference, nats a clip
    entropy_ratio        mean entropy of the code distributions after / before
    """

    rate_ratio: float
    duration_ratio: float
    reward_change: float
    win_rate: Estimate
    chosen_log_ratio: float
    kl: float
    entropy_ratio: float


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One signature; `value` is None, and the verdict a warning, where it was not measured."""

    name: str
    meaning: str
    band: str
    unit: str
    value: float | None
    verdict: Verdict
    sentence: str


def diagnose(symptoms: Symptoms, *, kl_budget: float) -> list[FailureRow]:
    """One row for each signature; `kl_budget` in nats a clip."""
    rows = [
        _over_articulation(symptoms.rate_ratio),
        _duration_drift(symptoms.duration_ratio),
        _metric_against_listeners(symptoms.reward_change, symptoms.win_rate),
        _chosen_falling(symptoms.chosen_log_ratio),
        _beyond_budget(symptoms.kl, kl_budget),
        _diversity_collapse(symptoms.entropy_ratio),
    ]
    return [_or_unknown(row) for row in rows]


def _or_unknown(row: FailureRow) -> FailureRow:
    """The row, unless its value is missing: then nobody knows, which is neither good nor bad."""
    if row.value is None or math.isnan(row.value):
        sentence = "not measured: too few clips or votes have a value"
        return replace(row, value=None, verdict="WARN", sentence=sentence)
    return row


def _at_least(value: float, good: float, bearable: float) -> Verdict:
    if value >= good:
        return "PASS"
    return "WARN" if value >= bearable else "FAIL"


def _over_articulation(rate_ratio: float) -> FailureRow:
    return FailureRow(
        "over-articulation",
        "speech gets slower and over-clear to please a recogniser",
        "speaking rate at least 0.90 of before; below 0.80 fails",
        "ratio",
        rate_ratio,
        _at_least(rate_ratio, 0.90, 0.80),
        f"the aligned policy speaks at {rate_ratio:.2f} times the rate of before",
    )


def _duration_drift(duration_ratio: float) -> FailureRow:
    shorter_or_longer = min(duration_ratio, 1 / duration_ratio) if duration_ratio else 0.0
    return FailureRow(
        "duration drift",
        "clips get longer or shorter without being asked to",
        "0.90 to 1.11 of before; outside 0.80 to 1.25 fails",
        "ratio",
        duration_ratio,
        _at_least(shorter_or_longer, 0.90, 0.80),
        f"clips last {duration_ratio:.2f} times as long as before",
    )


def _metric_against_listeners(reward_change: float, win_rate: Estimate) -> FailureRow:
    """Fails when the reward rises and listeners clearly turn away, warns when they do not follow.

    Where the reward does not rise there is nothing that listeners could contradict.
    """
    verdict: Verdict = "PASS"
    if reward_change > 0 and win_rate.low <= 0.5:
        verdict = "FAIL" if win_rate.high < 0.5 else "WARN"
    return FailureRow(
        "metric up, preference down",
        "the reward model likes it better and listeners do not",
        "win rate above 0.5 wherever the reward rises",
        "win rate",
        math.nan if math.isnan(reward_change) else win_rate.value,
        verdict,
        f"the reward changes by {reward_change:+.2f} logits, the win rate is {win_rate.value:.2f} "
        f"[{win_rate.low:.2f}, {win_rate.high:.2f}]",
    )


def _chosen_falling(log_ratio: float) -> FailureRow:
    return FailureRow(
        "likelihood of chosen falling",
        "training pushes chosen and rejected clips down together",
        "at least -0.02 nats a code; below -0.10 fails",
        "nats/code",
        log_ratio,
        _at_least(log_ratio, -0.02, -0.10),
        f"the log-probability of chosen clips changes by {log_ratio:+.3f} nats a code",
    )


def _beyond_budget(kl: float, budget: float) -> FailureRow:
    return FailureRow(
        "KL beyond budget",
        "the policy has moved further from its reference than was granted",
        f"at most {budget:g} nats a clip; above {2 * budget:g} fails",
        "nats/clip",
        kl,
        _at_least(-kl, -budget, -2 * budget),
        f"the policy is {kl:.1f} nats a clip away from the reference",
    )


def _diversity_collapse(entropy_ratio: float) -> FailureRow:
    return FailureRow(
        "diversity collapse",
        "the policy says everything in one way",
        "code entropy at least 0.60 of before; below 0.35 fails",
        "ratio",
        entropy_ratio,
        _at_least(entropy_ratio, 0.60, 0.35),
        f"the distributions of codes have {entropy_ratio:.2f} times the entropy of before",
    )
