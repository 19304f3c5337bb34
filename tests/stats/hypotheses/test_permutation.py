from itertools import product

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.hypotheses import sign_flip_test

# Darwin's maize, crossed minus self-fertilised, in eighths of an inch (Fisher 1935, sec. 21).
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def rng():
    return np.random.default_rng(5)


def test_fishers_count_of_darwins_maize():
    """863 of the 32768 flips give a total of at least 314."""
    test = sign_flip_test(MAIZE, rng=rng(), alternative="greater")
    assert test.p_value == 863 / 2**15
    assert sign_flip_test(MAIZE, rng=rng()).p_value == 2 * 863 / 2**15
    assert "all flips" in test.method


def test_the_interval_is_students_t():
    effect = sign_flip_test(MAIZE, rng=rng()).effect
    half = 2.1447866879 * np.std(MAIZE, ddof=1) / np.sqrt(15)
    mean = np.mean(MAIZE)
    assert (effect.value, effect.low, effect.high) == pytest.approx(
        (mean, mean - half, mean + half)
    )


def test_clusters_are_flipped_whole():
    differences = np.array([1.0, 2.0, -0.5, 3.0, -1.0, 0.5])
    listener = ["ann", "ann", "bob", "cat", "cat", "cat"]
    sums = np.array([3.0, -0.5, 2.5])
    null = np.array(list(product((-1, 1), repeat=3))) @ sums
    test = sign_flip_test(differences, clusters=listener, rng=rng())
    assert test.p_value == (np.abs(null) >= sums.sum() - 1e-9).mean()
    assert (test.n, test.effect.n_clusters) == (6, 3)


def test_many_answers_of_few_listeners_are_no_evidence():
    """Fifty answers of each of three listeners, all positive: 2 of 8 flips are as extreme."""
    test = sign_flip_test(np.ones(150), clusters=np.repeat([0, 1, 2], 50), rng=rng())
    assert test.p_value == 2 / 8


def test_random_flips_come_near_the_exact_count(monkeypatch):
    exact = sign_flip_test(MAIZE, rng=rng()).p_value
    monkeypatch.setattr("auralign.stats.hypotheses.permutation._LARGEST_EXACT", 1)
    test = sign_flip_test(MAIZE, rng=rng(), n_permutations=20_000)
    assert test.p_value == pytest.approx(exact, abs=4 * (exact / 20_000) ** 0.5)
    assert "20000 random flips" in test.method


def test_p_values_are_uniform_when_listeners_differ_but_the_systems_do_not():
    generator = np.random.default_rng(8)
    p_values = []
    for _ in range(300):
        listeners = np.repeat(generator.normal(size=10), 5)
        values = listeners + generator.normal(size=50)
        p_values.append(
            sign_flip_test(values, clusters=np.repeat(np.arange(10), 5), rng=generator).p_value
        )
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_a_p_value_is_never_zero():
    test = sign_flip_test(np.ones(60), rng=rng(), n_permutations=99)
    assert test.p_value == 1 / 100


def test_bad_input_is_named():
    with pytest.raises(DataError, match="at least 2 of them"):
        sign_flip_test([1, 2], clusters=["ann", "ann"], rng=rng())
    with pytest.raises(DataError, match="all differences are zero"):
        sign_flip_test([0, 0], rng=rng())
    with pytest.raises(DataError, match="must be finite"):
        sign_flip_test([1, np.nan], rng=rng())
    with pytest.raises(ConfigError, match="n_permutations must be at least 1"):
        sign_flip_test([1, 2], rng=rng(), n_permutations=0)
