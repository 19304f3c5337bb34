import numpy as np
import pytest
from scipy import stats

from auralign.errors import DataError
from auralign.stats.hypotheses import aitchison_distance, group_weights

CRITERIA = ("content", "quality", "task")


def test_the_geometric_mean_of_two_opposite_listeners():
    result = group_weights([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], CRITERIA)
    np.testing.assert_allclose(result.weights, [0.3629, 0.2743, 0.3629], atol=5e-5)
    arithmetic = np.mean([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], axis=0)
    np.testing.assert_allclose(arithmetic, [0.4, 0.2, 0.4])


def test_inverted_ratios_have_the_inverted_aggregate():
    weights = np.random.default_rng(1).dirichlet([2, 3, 4], 8)
    straight = group_weights(weights, CRITERIA).weights
    inverted = group_weights(1 / weights, CRITERIA).weights
    np.testing.assert_allclose(inverted, (1 / straight) / (1 / straight).sum())


def test_the_length_of_a_slider_does_not_matter():
    weights = np.random.default_rng(2).dirichlet([2, 3, 4], 5)
    scaled = weights * np.array([[1], [100], [7], [0.1], [2]])
    one, other = group_weights(weights, CRITERIA), group_weights(scaled, CRITERIA)
    np.testing.assert_allclose(one.weights, other.weights)
    np.testing.assert_allclose(one.spread, other.spread)
    np.testing.assert_allclose(one.probability_greater, other.probability_greater)


def test_one_extreme_listener_does_not_turn_the_majority_around():
    """Nine find content 1.25 times as important; one finds quality a hundred times so."""
    weights = [[0.5, 0.4, 0.1]] * 9 + [[0.0099, 0.99, 0.0001]]
    assert np.mean(weights, axis=0)[0] < np.mean(weights, axis=0)[1]
    ratio = np.array(weights)[:, 0] / np.array(weights)[:, 1]
    result = group_weights(weights, CRITERIA).weights
    assert result[0] / result[1] == pytest.approx(np.exp(np.log(ratio).mean()))


def test_the_distance_of_each_listener_is_aitchisons():
    weights = np.random.default_rng(3).dirichlet([2, 3, 4], 6)
    result = group_weights(weights, CRITERIA)
    expected = [aitchison_distance(row, result.weights) for row in weights]
    np.testing.assert_allclose(result.distance, expected)
    x, y = weights[:2]
    by_pairs = np.log(x[:, None] / x) - np.log(y[:, None] / y)
    assert aitchison_distance(x, y) == pytest.approx(np.sqrt((by_pairs**2).sum() / 6))


def test_the_posterior_is_the_one_sided_t_test_of_log_ratios():
    weights = np.random.default_rng(4).dirichlet([5, 6, 4], 10)
    probability = group_weights(weights, CRITERIA).probability_greater
    ratio = np.log(weights[:, 0] / weights[:, 1])
    assert probability[0, 1] == pytest.approx(
        stats.ttest_1samp(ratio, 0, alternative="less").pvalue
    )
    np.testing.assert_allclose(probability + probability.T, 1)


def test_agreeing_listeners_are_certain_and_one_listener_is_not():
    certain = group_weights([[0.6, 0.3, 0.1]] * 3, CRITERIA)
    assert certain.probability_greater[0, 1] == 1
    np.testing.assert_allclose(certain.spread, 0, atol=1e-12)
    alone = group_weights([[0.6, 0.3, 0.1]], CRITERIA)
    np.testing.assert_allclose(alone.weights, [0.6, 0.3, 0.1])
    assert np.isnan(alone.probability_greater).all()


def test_bad_input_is_named():
    with pytest.raises(DataError, match="rater 1 gives 'task' the weight 0"):
        group_weights([[0.6, 0.3, 0.1], [0.5, 0.5, 0.0]], CRITERIA)
    with pytest.raises(DataError, match=r"with 3 criteria, got \(1, 2\)"):
        group_weights([[0.6, 0.4]], CRITERIA)
    with pytest.raises(DataError, match="positive weights of one length"):
        aitchison_distance([1, 2], [1, 0])
