import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auralign.errors import ConfigError, DataError
from auralign.test_time import calibrate_threshold


def handed_out(rewards, acceptable, threshold, m):
    """What the guardrail does with one prompt's clips: None, or whether its clip is acceptable."""
    for start in range(0, len(rewards), m):
        loop = rewards[start : start + m]
        best = max(range(m), key=lambda i: loop[i])
        if loop[best] > threshold:
            return bool(acceptable[start + best])
    return None


def test_of_one_clip_each_the_threshold_is_the_quantile_of_bad_clips():
    rewards = np.arange(10.0)[:, None]
    acceptable = rewards > 4.5
    found = calibrate_threshold(rewards, acceptable, m=1, most_false=0.2)
    # Above 2 there are the bad clips 3 and 4: two of ten prompts.
    assert found.threshold == 2
    assert (found.false_accepts.value, found.answered.value) == (0.2, 0.7)
    assert calibrate_threshold(rewards, acceptable, m=1, most_false=0).threshold == 4


def test_where_every_clip_is_acceptable_there_is_no_threshold():
    found = calibrate_threshold(np.zeros((3, 2)), np.ones((3, 2), bool), m=2, most_false=0)
    assert found.threshold == -np.inf
    assert found.answered.value == 1


@given(
    arrays(float, (5, 4), elements=st.integers(0, 6)),
    arrays(bool, (5, 4)),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([0.0, 0.2, 0.5]),
)
def test_it_is_the_lowest_threshold_from_which_on_the_share_is_kept(rewards, good, m, most_false):
    def share(threshold):
        given_ = [handed_out(r, g, threshold, m) for r, g in zip(rewards, good, strict=True)]
        return np.mean([clip is False for clip in given_])

    found = calibrate_threshold(rewards, good, m=m, most_false=most_false)
    steps = [-np.inf, *np.arange(7.0)]
    assert all(share(t) <= most_false for t in steps if t >= found.threshold)
    assert found.false_accepts.value == share(found.threshold)
    below = [t for t in steps if t < found.threshold]
    assert not below or share(below[-1]) > most_false


def test_a_clip_without_a_score_is_not_handed_out():
    rewards, good = np.array([[np.nan, 1.0], [np.nan, np.nan]]), np.array([[0, 1], [1, 1]], bool)
    found = calibrate_threshold(rewards, good, m=2, most_false=0)
    assert (found.threshold, found.false_accepts.value, found.answered.value) == (-np.inf, 0, 0.5)


def test_arrays_that_do_not_fit_are_refused():
    ones = np.ones((2, 4))
    with pytest.raises(DataError, match=r"truth values of one shape"):
        calibrate_threshold(ones, ones, m=2, most_false=0.1)
    with pytest.raises(DataError, match=r"whole loops of 3 clips"):
        calibrate_threshold(ones, ones > 0, m=3, most_false=0.1)
    with pytest.raises(ConfigError, match=r"most_false: expected a share from 0 to 1, got 5"):
        calibrate_threshold(ones, ones > 0, m=2, most_false=5)
