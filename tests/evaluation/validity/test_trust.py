import numpy as np
import pytest

from auralign.evaluation.validity.trust import trust_in_pairs, trust_in_systems
from auralign.types import Estimate

pytestmark = pytest.mark.slow


def estimate(value, low, high, n=100):
    return Estimate(value, low, high, 0.95, n, 10, "")


GAIN, NO_GAIN, UNCLEAR = estimate(0.2, 0.1, 0.3), estimate(0, -0.03, 0.01), estimate(0.1, -0.1, 0.3)


@pytest.mark.parametrize(
    ("accuracy", "gains", "word", "reason"),
    [
        (estimate(0.8, 0.7, 0.9), {}, "trust", "80% of the pairs, 70% to 90%"),
        (estimate(0.8, 0.7, 0.9), {"duration": GAIN}, "trust", "80%"),
        (estimate(0.8, 0.7, 0.9), {"duration": NO_GAIN}, "distrust", "nothing to duration alone"),
        (estimate(0.8, 0.7, 0.9), {"duration": UNCLEAR}, "cannot tell", "no clear gain"),
        # MuLan on MusicRL's pairs: better than chance for certain, and of no use.
        (estimate(0.516, 0.509, 0.523), {"duration": GAIN}, "distrust", "no better than guessing"),
        (estimate(0.3, 0.2, 0.4), {}, "distrust", "prefers what listeners do not"),
        (estimate(0.5, 0.5, 0.5), {}, "distrust", "says the same of both clips"),
        (estimate(0.6, 0.49, 0.7), {}, "cannot tell", "does not exclude chance"),
        (estimate(0.54, 0.51, 0.57), {}, "cannot tell", "does not exclude"),
        (estimate(0.9, 0.8, 1.0, n=29), {}, "cannot tell", "29 decided pairs are too few"),
        (estimate(np.nan, np.nan, np.nan), {}, "cannot tell", "no decided pair"),
        (estimate(0.8, np.nan, np.nan), {}, "cannot tell", "no interval"),
    ],
)
def test_trust_follows_the_intervals(accuracy, gains, word, reason):
    found = trust_in_pairs(accuracy, gains)
    assert found.word == word
    assert reason in found.reason


def test_a_baseline_that_nobody_knows_may_be_what_the_signal_is():
    found = trust_in_pairs(estimate(0.8, 0.7, 0.9), {}, ["loudness"])
    assert found.word == "cannot tell"
    assert "loudness alone may do as well" in found.reason


@pytest.mark.parametrize(
    ("low", "value", "high", "word"),
    [
        (0.3, 0.7, 0.9, "trust"),
        (-0.1, 0.7, 0.9, "cannot tell"),
        (0.1, 0.4, 0.6, "cannot tell"),
        (-0.3, 0.2, 0.45, "distrust"),
    ],
)
def test_trust_in_ranking_systems(low, value, high, word):
    assert trust_in_systems(estimate(value, low, high)).word == word


def test_no_correlation_is_no_trust_and_no_distrust():
    assert trust_in_systems(None, "2 systems are too few").word == "cannot tell"
