import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError, DataError
from auralign.preferences.rejection_sampling import acceptance, rejection_sample

REWARDS = {"a": 1.0, "b": 0.8, "c": 0.2}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_acceptance_at_the_published_numbers():
    found = acceptance(np.array([1, 0.8, 0.2]), temperature=0.5)
    assert found == pytest.approx([1, 0.670320, 0.201897], abs=1e-6)
    assert found.mean() == pytest.approx(0.624072, abs=1e-6)


@given(st.integers(0, 3), st.integers(0, 50), st.floats(0.01, 10))
def test_exactly_n_distinct_candidates_are_accepted(n, seed, temperature):
    accepted = rejection_sample(REWARDS, n, rng=rng(seed), temperature=temperature)
    assert len(accepted) == len(set(accepted)) == n
    assert set(accepted) <= set(REWARDS)


def test_a_cold_sampler_is_best_of_n():
    rewards = {str(i): float(i) for i in range(20)}
    for seed in range(20):
        accepted = rejection_sample(rewards, 3, rng=rng(seed), temperature=1e-3)
        assert set(accepted) == {"17", "18", "19"}


def test_a_hot_sampler_draws_evenly_whatever_the_order_of_the_candidates():
    # The source's reference code stops in the order of a dictionary and favours what stands first.
    counts = dict.fromkeys(REWARDS, 0)
    source = rng()
    for _ in range(3000):
        (accepted,) = rejection_sample(REWARDS, 1, rng=source, temperature=1e6)
        counts[accepted] += 1
    assert np.array(list(counts.values())) / 3000 == pytest.approx([1 / 3] * 3, abs=0.04)


def test_the_first_accepted_of_two_comes_by_the_law_of_rejection_sampling():
    # One sweep accepts the better clip surely and the other with probability q; the first in a
    # random order is the other one with probability q / 2.
    rewards, q = {"good": 1.0, "poor": 0.5}, np.exp(-0.5 / 0.5)
    source = rng(1)
    drawn = [rejection_sample(rewards, 1, rng=source)[0] for _ in range(5000)]
    assert drawn.count("poor") / 5000 == pytest.approx(q / 2, abs=0.02)


def test_too_few_candidates_and_a_frozen_sampler_are_refused():
    with pytest.raises(DataError, match="at least 4 different candidates to accept 4, got 3"):
        rejection_sample(REWARDS, 4, rng=rng())
    with pytest.raises(ConfigError, match="temperature above 0"):
        rejection_sample(REWARDS, 1, rng=rng(), temperature=0)
