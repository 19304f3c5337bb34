import numpy as np
import pytest

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.planning.power import (
    exact_sign_powers,
    paired_t_power,
    round_robin_power,
    two_sample_t_power,
)
from auralign.stats.planning.sample_size import (
    paired_t_sample_size,
    round_robin_sample_size,
    sign_test_sample_size,
    two_sample_t_sample_size,
)


@pytest.mark.parametrize(
    ("win_rate", "normal", "exact"),
    [
        (0.52, 4904, None),
        (0.55, 783, 786),
        (0.60, 194, 199),
        (0.65, 85, 90),
        (0.70, 47, 49),
        (0.75, 29, 30),
        (0.80, 20, 20),
    ],
)
def test_the_tabled_sample_sizes_of_the_sign_test(win_rate, normal, exact):
    assert sign_test_sample_size(win_rate, method="normal") == normal
    assert exact is None or sign_test_sample_size(win_rate) == exact


def test_the_exact_size_is_the_first_that_reaches_the_power():
    n = sign_test_sample_size(0.52)
    powers = exact_sign_powers(0.52, np.arange(1, n + 1), 0.05)
    assert powers[-1] >= 0.8
    assert powers[:-1].max() < 0.8


def test_which_system_is_better_does_not_matter():
    assert sign_test_sample_size(0.4) == sign_test_sample_size(0.6)


def test_the_textbook_t_test_sizes():
    # Cohen 1988, table 2.4.1: d = .5, power .80, two-sided .05: 64 per group; 34 pairs.
    assert two_sample_t_sample_size(0.5, 1) == 64
    assert paired_t_sample_size(0.5, 1) == 34


@pytest.mark.parametrize("difference", [0.05, 0.7, 5.0])
def test_one_observation_less_is_too_few(difference):
    n = paired_t_sample_size(difference, 1, power=0.9)
    assert paired_t_power(difference, 1, n) >= 0.9
    assert n == 2 or paired_t_power(difference, 1, n - 1) < 0.9
    n = two_sample_t_sample_size(difference, 1, power=0.9)
    assert two_sample_t_power(difference, 1, n) >= 0.9
    assert n == 2 or two_sample_t_power(difference, 1, n - 1) < 0.9


def test_the_round_robin_formula():
    # r = 8 (1.95996 + .84162)^2 / (6 x .25) = 41.86
    assert round_robin_sample_size(6, 0.5) == 42
    for how in ("holm", "tukey"):
        r = round_robin_sample_size(6, 0.5, correction=how)
        assert round_robin_power(6, 0.5, r, correction=how) >= 0.8
        assert round_robin_power(6, 0.5, r - 1, correction=how) < 0.8


def test_effects_too_small_to_find_are_refused():
    with pytest.raises(ConfigError, match="larger effect"):
        sign_test_sample_size(0.50001)
    with pytest.raises(NotConvergedError, match="larger effect"):
        paired_t_sample_size(1e-6, 1)
    with pytest.raises(ConfigError, match="power must exceed alpha"):
        sign_test_sample_size(0.6, power=0.05)
