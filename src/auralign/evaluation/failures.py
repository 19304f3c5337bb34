"""Known failure signatures of preference alignment, each with its measured value and a verdict.

The signatures follow the published ones (arXiv 2511.13936 and the works it reviews): speech that
gets slow and over-clear, clips that drift in length, a metric that rises while listeners turn
away, chosen clips that become less likely, a policy far from its reference, samples that lose
their variety.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auralign.types import Estimate

Verdict = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What one aligned policy shows next to its reference.

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
    name: str
    meaning: str
    band: str
    unit: str
    value: float
    verdict: Verdict
    sentence: str


def diagnose(symptoms: Symptoms, *, kl_budget: float) -> list[FailureRow]:
    """One row for each signature; `kl_budget` in nats a clip."""
    s = symptoms
    return [
        FailureRow(
            "over-articulation",
            "speech gets slower and over-clear to please a recogniser",
            "speaking rate at least 0.90 of before; below 0.80 fails",
            "ratio",
            s.rate_ratio,
            _at_least(s.rate_ratio, 0.90, 0.80),
            f"the aligned policy speaks at {s.rate_ratio:.2f} times the rate of before",
        ),
        FailureRow(
            "duration drift",
            "clips get longer or shorter without being asked to",
            "0.90 to 1.11 of before; outside 0.80 to 1.25 fails",
            "ratio",
            s.duration_ratio,
            _at_least(min(s.duration_ratio, 1 / s.duration_ratio), 0.90, 0.80),
            f"clips last {s.duration_ratio:.2f} times as long as before",
        ),
        _metric_against_listeners(s),
        FailureRow(
            "likelihood of chosen falling",
            "training pushes chosen and rejected clips down together",
            "at least -0.02 nats a code; below -0.10 fails",
            "nats/code",
            s.chosen_log_ratio,
            _at_least(s.chosen_log_ratio, -0.02, -0.10),
            f"chosen clips are {_more_or_less(s.chosen_log_ratio)} likely than under the reference",
        ),
        FailureRow(
            "KL beyond budget",
            "the policy has moved further from its reference than was granted",
            f"at most {kl_budget:g} nats a clip; above {2 * kl_budget:g} fails",
            "nats/clip",
            s.kl,
            _at_least(-s.kl, -kl_budget, -2 * kl_budget),
            f"the policy is {s.kl:.1f} nats a clip away from the reference",
        ),
        FailureRow(
            "diversity collapse",
            "the policy says everything in one way",
            "code entropy at least 0.60 of before; below 0.35 fails",
            "ratio",
            s.entropy_ratio,
            _at_least(s.entropy_ratio, 0.60, 0.35),
            f"the distributions of codes have {s.entropy_ratio:.2f} times the entropy of before",
        ),
    ]


def _at_least(value: float, good: float, bearable: float) -> Verdict:
    if value >= good:
        return "PASS"
    return "WARN" if value >= bearable else "FAIL"


def _metric_against_listeners(s: Symptoms) -> FailureRow:
    """Fails when the reward rises and listeners clearly turn away; warns when they do not follow."""
    verdict: Verdict = "PASS"
    sentence = f"reward {s.reward_change:+.2f} logits and win rate {s.win_rate.value:.2f} agree"
    if s.reward_change > 0 and s.win_rate.low <= 0.5:
        verdict = "FAIL" if s.win_rate.high < 0.5 else "WARN"
        sentence = (
            f"reward {s.reward_change:+.2f} logits, but the win rate is {s.win_rate.value:.2f} "
            f"[{s.win_rate.low:.2f}, {s.win_rate.high:.2f}]"
        )
    return FailureRow(
        "metric up, preference down",
        "the reward model likes it better and listeners do not",
        "win rate above 0.5 wherever the reward rises",
        "win rate",
        s.win_rate.value,
        verdict,
        sentence,
    )


def _more_or_less(log_ratio: float) -> str:
    return "more" if log_ratio > 0 else "less"
