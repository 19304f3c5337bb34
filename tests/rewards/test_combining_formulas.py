import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auralign.errors import ConfigError, DataError
from auralign.rewards.combining import HarmonicMean, LogSigmoid, Reference, Scale, Utility, Weighted

NAMES = ("task", "quality", "overall")
SCALES = {
    "task": Scale(mean=1.0, sd=2.0, reference=3.0, n_clips=9),
    "quality": Scale(mean=-1.0, sd=0.5, reference=0.0, n_clips=9),
}
LOGIT = Reference(value=0.0)
SHARE = Utility(shape="linear", best=1.0, scale=1.0)

COMBINATIONS = [
    Weighted(NAMES, {"task": 1.0, "quality": 3.0}, SCALES),
    LogSigmoid(NAMES, {"task": LOGIT, "quality": LOGIT}, {}),
    HarmonicMean(NAMES, {"task": SHARE, "quality": SHARE}),
]
each_combination = pytest.mark.parametrize(
    "combination", COMBINATIONS, ids=lambda c: type(c).__name__
)


def two(*clips: tuple[float, float]) -> np.ndarray:
    """Rewards task and quality, and an overall one that nobody could score."""
    return np.array([[*clip, math.nan] for clip in clips])


def test_a_scale_is_mean_sd_and_the_reference_quantile_of_the_scored_clips():
    scale = Scale.learn(np.array([1.0, math.nan, 2.0, 3.0, 4.0, math.inf, 5.0]))
    assert scale == Scale(3.0, math.sqrt(2.5), pytest.approx(4.4), 5)
    assert Scale.learn(np.arange(5.0), quantile=0.5).reference == 2.0


def test_a_scale_needs_two_scored_clips():
    with pytest.raises(DataError, match=r"at least 2 clips with a reward .* got 1 of 3"):
        Scale.learn(np.array([1.0, math.nan, math.nan]))


def test_weighted_adds_standardised_rewards():
    combined = COMBINATIONS[0](two((5, 0), (1, -1), (1, -1.5)))
    # (5 - 1) / 2 + 3 (0 + 1) / 0.5, and so on
    np.testing.assert_allclose(combined, [2 + 6, 0, -3])


@given(arrays(np.float64, (6, 2), elements=st.floats(-5, 5).map(lambda x: round(x, 3))))
def test_the_unit_of_a_reward_does_not_matter_to_a_weighted_sum(rewards):
    learnt = np.random.default_rng(0).standard_normal((20, 2))
    weights = {"task": 1.0, "quality": 2.0}

    def combined(unit: np.ndarray) -> np.ndarray:
        scales = {n: Scale.learn(learnt[:, i] * unit[i]) for i, n in enumerate(weights)}
        return Weighted(list(weights), weights, scales)(rewards * unit)

    np.testing.assert_allclose(combined(np.array([1, 100])), combined(np.ones(2)), atol=1e-9)


def test_a_log_sigmoid_is_the_log_probability_that_all_is_good():
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    log_sigmoid = COMBINATIONS[1]
    found = log_sigmoid(two((3, -3), (0, 0), (1, 2)))
    np.testing.assert_allclose(found[:2], [-3.0972, -1.3863], atol=5e-5)
    assert found[2] == pytest.approx(math.log(sigmoid(1) * sigmoid(2)))
    # The plain sums of the first two are equal.
    assert found[1] > found[0]


def test_a_log_sigmoid_saturates_above_the_reference_and_is_linear_far_below():
    log_sigmoid = LogSigmoid(NAMES, {"task": Reference(value=2.0, spread=0.5)}, {})
    above, below = two((50, 0), (500, 0)), two((-100, 0), (-101, 0))
    assert np.ptp(log_sigmoid(above)) < 1e-12
    assert np.ptp(log_sigmoid(below)) == pytest.approx(1 / 0.5)
    step = 1e-6
    low, high = log_sigmoid(two((2.3 - step, 0), (2.3 + step, 0)))
    # Slope sigmoid((reference - r) / spread) / spread.
    assert (high - low) / (2 * step) == pytest.approx(2 / (1 + math.exp(0.3 / 0.5)), rel=1e-6)


def test_a_reference_that_is_not_stated_is_that_of_the_scale():
    stated = LogSigmoid(NAMES, {"task": Reference(value=3.0)}, {})
    learnt = LogSigmoid(NAMES, {"task": Reference()}, SCALES)
    values = two((0, 0), (3, 0), (7, 0))
    np.testing.assert_array_equal(learnt(values), stated(values))
    with pytest.raises(ConfigError, match="a scale of the reward 'overall', got task, quality"):
        LogSigmoid(NAMES, {"overall": Reference()}, SCALES)


def test_the_best_of_many_is_good_in_both_respects_more_often_by_log_sigmoids_than_by_the_sum():
    rng = np.random.default_rng(0)
    rewards = 2 * rng.standard_normal((2000, 16, 2)) - 1
    both_good = (rewards > 0).all(-1)
    log_sigmoid = LogSigmoid(NAMES[:2], {"task": LOGIT, "quality": LOGIT}, {})
    transformed = np.stack([log_sigmoid(clips) for clips in rewards])

    def share(scores: np.ndarray) -> float:
        return both_good[np.arange(len(scores)), scores.argmax(1)].mean()

    assert share(transformed) > share(rewards.sum(-1)) + 0.05


def test_the_harmonic_mean_of_an_error_rate_and_a_likelihood():
    utilities = {
        "task": Utility(shape="tanh", best=0.0, scale=0.2, weight=0.6),
        "quality": Utility(shape="exponential", best=0.0, scale=2.0, weight=0.4),
    }
    mean = HarmonicMean(NAMES, utilities)
    found = mean(two((0.0, -2.0), (-0.1, -1.0)))
    # U of no error is 1 and exp(-2 / 2) is 0.3679.
    assert found[0] == pytest.approx(0.592658, abs=1e-6)
    u_error, u_likelihood = 1 - math.tanh(0.1 / 0.2), math.exp(-1 / 2)
    assert found[1] == pytest.approx(1 / (0.6 / u_error + 0.4 / u_likelihood))


def test_one_utility_of_zero_makes_the_harmonic_mean_zero():
    np.testing.assert_array_equal(
        COMBINATIONS[2](two((0, 1), (1, 0), (-3, 0), (1, 1))), [0, 0, 0, 1]
    )


def test_a_cosine_is_worth_half_of_itself_plus_one():
    cosine = Utility(shape="linear", best=1.0, scale=2.0)
    np.testing.assert_allclose(
        cosine(np.array([-1.2, -1, 0, 0.5, 1, 1.1])), [0, 0, 0.5, 0.75, 1, 1]
    )


@each_combination
@given(
    rewards=arrays(
        np.float64, (5, 2), elements=st.sampled_from([-2.0, 0.0, 0.5, 1.0, math.nan, math.inf])
    )
)
def test_a_clip_has_no_value_exactly_where_a_needed_reward_has_none(combination, rewards):
    values = np.column_stack([rewards, np.full(5, math.nan)])
    combined = combination(values)
    np.testing.assert_array_equal(np.isnan(combined), ~np.isfinite(rewards).all(1))
    kept = np.isfinite(combined)
    np.testing.assert_array_equal(combination(values[kept]), combined[kept])


@each_combination
def test_without_learning_there_is_nothing_to_save(combination):
    values = two((0.2, 0.4), (0.6, math.nan))
    before = combination(values)
    combination.observe(values)
    combination.restore(combination.state())
    np.testing.assert_array_equal(combination(values), before)
    assert combination.state() == combination.shown() == {}


@each_combination
def test_values_have_a_column_for_each_name(combination):
    with pytest.raises(DataError, match=r"\[clips, 3\], a column for each of task, .* \[4, 2\]"):
        combination(np.zeros((4, 2)))
    assert combination(np.zeros((0, 3))).shape == (0,)


def test_an_unknown_reward_a_missing_scale_and_one_that_never_differs_are_errors():
    with pytest.raises(ConfigError, match=r"got 'qualty' \(did you mean 'quality'\?\)"):
        Weighted(NAMES, {"qualty": 1.0}, SCALES)
    with pytest.raises(ConfigError, match="a scale of the reward 'overall'"):
        Weighted(NAMES, {"overall": 1.0}, SCALES)
    flat = {"task": Scale.learn(np.ones(4))}
    with pytest.raises(ConfigError, match="'task' to differ between clips, got 1 for all 4"):
        Weighted(NAMES, {"task": 1.0}, flat)
