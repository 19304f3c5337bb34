import math
from dataclasses import fields, replace

import pytest

from auralign.evaluation.failures import FailureRow, Symptoms, diagnose
from auralign.types import Estimate

BUDGET = 20.0


def win_rate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, 100, 20, "by hand")


WON = win_rate(0.62, 0.55, 0.69)
HEALTHY = Symptoms(
    rate_ratio=1.0,
    duration_ratio=1.0,
    reward_change=0.5,
    win_rate=WON,
    chosen_log_ratio=0.01,
    kl=5.0,
    entropy_ratio=0.9,
)


def row(name: str, symptoms: Symptoms) -> FailureRow:
    (found,) = [r for r in diagnose(symptoms, kl_budget=BUDGET) if r.name == name]
    return found


def test_a_healthy_policy_passes_every_signature():
    rows = diagnose(HEALTHY, kl_budget=BUDGET)
    assert len(rows) == 6
    assert {r.verdict for r in rows} == {"PASS"}


@pytest.mark.parametrize(
    ("name", "field", "passing", "warning", "failing"),
    [
        ("over-articulation", "rate_ratio", (0.90, 1.3), (0.89, 0.80), (0.79, 0.1)),
        ("duration drift", "duration_ratio", (0.91, 1.10), (0.89, 1.12, 1.24), (0.79, 1.26, 0.0)),
        ("likelihood of chosen falling", "chosen_log_ratio", (-0.02, 3), (-0.03, -0.1), (-0.11,)),
        ("KL beyond budget", "kl", (-1.0, 20.0), (20.1, 40.0), (40.1, math.inf)),
        ("diversity collapse", "entropy_ratio", (0.60, 1.2), (0.59, 0.35), (0.34, 0.0)),
    ],
)
def test_each_band_passes_warns_and_fails(name, field, passing, warning, failing):
    for verdict, values in (("PASS", passing), ("WARN", warning), ("FAIL", failing)):
        for value in values:
            found = row(name, replace(HEALTHY, **{field: value}))
            assert (found.verdict, found.value) == (verdict, value)


@pytest.mark.parametrize(
    ("reward_change", "votes", "verdict"),
    [
        (0.5, WON, "PASS"),
        (0.5, win_rate(0.52, 0.45, 0.59), "WARN"),
        (0.5, win_rate(0.57, 0.50, 0.64), "WARN"),
        (0.5, win_rate(0.40, 0.33, 0.50), "WARN"),
        (0.5, win_rate(0.40, 0.33, 0.49), "FAIL"),
        (0.0, win_rate(0.40, 0.33, 0.49), "PASS"),
        (-0.5, win_rate(0.40, 0.33, 0.49), "PASS"),
    ],
)
def test_a_reward_that_rises_has_to_be_followed_by_listeners(reward_change, votes, verdict):
    symptoms = replace(HEALTHY, reward_change=reward_change, win_rate=votes)
    found = row("metric up, preference down", symptoms)
    assert (found.verdict, found.value) == (verdict, votes.value)
    assert f"{reward_change:+.2f} logits" in found.sentence


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("rate_ratio", "over-articulation"),
        ("duration_ratio", "duration drift"),
        ("reward_change", "metric up, preference down"),
        ("chosen_log_ratio", "likelihood of chosen falling"),
        ("kl", "KL beyond budget"),
        ("entropy_ratio", "diversity collapse"),
    ],
)
def test_what_was_not_measured_is_a_warning_that_says_so_and_nothing_else_changes(field, name):
    symptoms = replace(HEALTHY, **{field: math.nan})
    found = row(name, symptoms)
    assert (found.verdict, found.value) == ("WARN", None)
    assert "not measured" in found.sentence
    others = [r for r in diagnose(symptoms, kl_budget=BUDGET) if r.name != name]
    assert others == [r for r in diagnose(HEALTHY, kl_budget=BUDGET) if r.name != name]


def test_a_win_rate_that_was_not_measured_is_a_warning_even_where_the_reward_does_not_rise():
    missing = win_rate(math.nan, math.nan, math.nan)
    symptoms = replace(HEALTHY, reward_change=-1.0, win_rate=missing)
    assert row("metric up, preference down", symptoms).verdict == "WARN"


def test_the_budget_moves_the_band_of_the_divergence():
    symptoms = replace(HEALTHY, kl=15.0)
    verdicts = {
        budget: {r.name: r.verdict for r in diagnose(symptoms, kl_budget=budget)}
        for budget in (15.0, 8.0, 7.0)
    }
    assert [v["KL beyond budget"] for v in verdicts.values()] == ["PASS", "WARN", "FAIL"]


def test_every_row_explains_itself_in_words():
    for found in diagnose(HEALTHY, kl_budget=BUDGET):
        for field in fields(FailureRow):
            if field.name not in ("value", "verdict"):
                assert getattr(found, field.name).strip()
