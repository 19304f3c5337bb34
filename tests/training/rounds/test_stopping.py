"""The stop rule on published curves of rounds, and on what it must never do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.training.rounds import HeldOut, best_round, stop_reason
from auralign.training.rounds.stopping import rounds_without_rise


def curve(*preferences: float, error: float = 0.01) -> list[HeldOut]:
    return [HeldOut(p, error, 100) for p in preferences]


def win_rate(elo: float, base: float) -> float:
    """Expected score on the Elo scale."""
    return 1 / (1 + 10 ** ((base - elo) / 400))


KOCC = curve(*(win_rate(elo, 1150) for elo in (1097, 1190, 1064)))
"""arXiv 2509.18531: base 1150; rounds of 200 fresh human pairs."""


def test_of_the_published_rounds_the_second_is_kept():
    assert best_round(KOCC) == 2


def test_a_patience_of_one_ends_at_a_first_dip_and_keeps_the_policy_before():
    assert stop_reason(KOCC[:1], patience=1) is not None
    assert best_round(KOCC[:1]) == 0


def test_a_patience_of_two_outlasts_the_first_dip():
    assert stop_reason(KOCC[:1], patience=2) is None
    assert stop_reason(KOCC[:2], patience=2) is None


def test_a_rise_within_its_standard_error_is_none():
    found = [HeldOut(0.60, 0.02, 100), HeldOut(0.615, 0.02, 100), HeldOut(0.61, 0.02, 100)]
    assert rounds_without_rise(found) == 2
    assert "round 2 is kept" in str(stop_reason(found, patience=2))


def test_small_rises_add_up_to_one():
    """0.615 and 0.63 are each within 0.02 of the one before, but 0.63 is 0.03 above 0.60."""
    found = [HeldOut(p, 0.02, 100) for p in (0.60, 0.615, 0.63)]
    assert rounds_without_rise(found) == 0


def test_one_held_out_prompt_proves_no_rise():
    assert math.isnan(HeldOut.of([0.9]).error)
    assert rounds_without_rise([HeldOut.of([0.9])]) == 1


def test_the_error_is_that_of_a_mean_over_prompts():
    shares = [0.4, 0.5, 0.9]
    held_out = HeldOut.of(shares)
    assert held_out.preference == pytest.approx(0.6)
    assert held_out.error == pytest.approx(np.std(shares, ddof=1) / np.sqrt(3))


def test_without_a_patience_nothing_ends_the_rounds():
    assert stop_reason(curve(0.4, 0.3, 0.2, 0.1), patience=None) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_kept_round_is_never_worse_than_another_or_than_the_policy_before(preferences):
    kept = best_round(curve(*preferences))
    assert [0.5, *preferences][kept] == max(0.5, *preferences)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(1, 4))
def test_rounds_never_end_before_the_patience_is_used_up(preferences, patience):
    found = curve(*preferences)
    if stop_reason(found, patience) is not None:
        assert len(found) >= patience
