import pytest
from scipy import stats

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import binomial_test, sign_test


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("won", "n", "p"), [(0, 8, 0.5), (7, 8, 0.5), (8, 8, 0.3), (21, 60, 0.2)])
def test_the_exact_test_equals_scipy(won, n, p, alternative):
    ours = binomial_test(won, n, p=p, alternative=alternative)
    assert ours.p_value == pytest.approx(stats.binomtest(won, n, p, alternative).pvalue)
    assert ours.effect.value == won / n


def test_mendels_peas():
    """682 of 925 plants tall where 3/4 are expected (R's binom.test): p = 0.3825."""
    test = binomial_test(682, 925, p=0.75)
    assert test.p_value == pytest.approx(0.3825, abs=5e-5)
    assert (test.effect.low, test.effect.high) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)


def test_the_sign_test_leaves_zeros_out_and_says_so():
    test = sign_test([1, 2, 3, -1, 4, 5, 6, 7, 0, 0, float("nan")])
    assert (test.statistic, test.n) == (7, 8)
    assert test.p_value == pytest.approx(2 * (1 + 8) / 2**8)
    assert "2 zeros left out" in test.method


def test_turning_differences_around_turns_the_test_around():
    differences = [1, 2, -3, 4, 0]
    greater = sign_test(differences, alternative="greater")
    less = sign_test([-d for d in differences], alternative="less")
    assert greater.p_value == less.p_value


def test_bad_input_is_named():
    with pytest.raises(DataError, match="got 2 zeros: all are ties"):
        sign_test([0, 0])
    with pytest.raises(DataError, match="got 9 of 8"):
        binomial_test(9, 8)
    with pytest.raises(ConfigError, match="p must be between 0 and 1, got 1"):
        binomial_test(1, 2, p=1)
    with pytest.raises(ConfigError, match="'two-sided', 'greater' or 'less', got 'larger'"):
        binomial_test(1, 2, alternative="larger")
