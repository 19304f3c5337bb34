import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from auralign.errors import ConfigError
from auralign.stats.planning.power import (
    critical_value,
    paired_t_power,
    round_robin_power,
    sign_test_power,
    two_sample_t_power,
)


@pytest.mark.parametrize("win_rate", [0.55, 0.7, 0.3, 0.95])
@pytest.mark.parametrize("n", [3, 6, 20, 49, 200])
def test_exact_power_is_the_binomial_probability_of_rejection(win_rate, n):
    rejected = [k for k in range(n + 1) if stats.binom.sf(max(k, n - k) - 1, n, 0.5) <= 0.025]
    expected = stats.binom.pmf(rejected, n, win_rate).sum() if rejected else 0
    assert sign_test_power(win_rate, n) == pytest.approx(expected, abs=1e-12)


def test_normal_power_at_its_own_sample_size_is_the_power_asked_for():
    p, alpha, power = 0.6, 0.05, 0.8
    z = stats.norm.ppf
    n = ((z(1 - alpha / 2) / 2 + z(power) * math.sqrt(p * (1 - p))) / (p - 0.5)) ** 2
    below, above = (sign_test_power(p, k, method="normal") for k in (int(n), int(n) + 1))
    assert below < power <= above


def test_a_sign_test_of_five_judgements_can_never_reject():
    assert sign_test_power(0.99, 5) == 0
    assert sign_test_power(0.99, 0) == 0


@pytest.mark.parametrize(("effect", "n"), [(0.3, 20), (0.5, 34), (1.0, 5)])
def test_t_powers_equal_those_of_statsmodels(effect, n):
    paired = TTestPower().power(effect, n, 0.05, alternative="two-sided")
    assert paired_t_power(effect * 3, 3, n) == pytest.approx(paired, abs=1e-8)
    two_sample = TTestIndPower().power(effect, n, 0.05, ratio=1, alternative="two-sided")
    assert two_sample_t_power(-effect * 3, 3, n) == pytest.approx(two_sample, abs=1e-8)


@pytest.mark.parametrize(
    ("n_items", "published"), [(2, 2.772), (3, 3.314), (5, 3.858), (10, 4.474)]
)
def test_tukeys_critical_value_is_the_tabled_studentised_range(n_items, published):
    # Harter 1960, Ann. Math. Stat. 31:1122, infinite degrees of freedom, upper 5 %.
    assert critical_value(n_items, 0.05, "tukey") * math.sqrt(2) == pytest.approx(
        published, abs=5e-4
    )


def test_two_items_need_no_correction_for_multiplicity():
    values = [critical_value(2, 0.05, how) for how in ("none", "holm", "tukey")]
    np.testing.assert_allclose(values, stats.norm.ppf(0.975), atol=1e-8)


def test_holm_divides_alpha_by_the_number_of_pairs():
    assert critical_value(6, 0.05, "holm") == pytest.approx(stats.norm.ppf(1 - 0.05 / 15 / 2))


def test_round_robin_power_uses_the_variance_eight_over_n_r():
    n, r, gap = 6, 40, 0.5
    sd = math.sqrt(8 / (n * r))
    assert sd == pytest.approx(0.183, abs=5e-4)  # spec: simulated sd .187
    expected = stats.norm.sf(1.959964 - gap / sd) + stats.norm.cdf(-1.959964 - gap / sd)
    assert round_robin_power(n, gap, r) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sign_test_power(0.5, 10), "not 0.5"),
        (lambda: sign_test_power(1.2, 10), "win rate"),
        (lambda: sign_test_power(0.6, 10, alpha=0), "alpha"),
        (lambda: sign_test_power(0.6, 10, method="exat"), "did you mean 'exact'"),
        (lambda: paired_t_power(1, 0, 10), "sd"),
        (lambda: paired_t_power(0, 1, 10), "difference"),
        (lambda: round_robin_power(1, 0.5, 10), "at least 2 items"),
        (lambda: critical_value(3, 0.05, "tuky"), "tukey"),
    ],
)
def test_impossible_settings_are_named(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
