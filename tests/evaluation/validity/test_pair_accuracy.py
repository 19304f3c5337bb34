import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.evaluation.validity.pair_accuracy import (
    accuracy,
    agreement,
    best_threshold,
    fold_of_pairs,
    gain,
    in_the_suiting_direction,
    tie_calibrated,
)
from auralign.evaluation.validity.pair_shares import Units, pair_share
from auralign.stats.comparisons import comparisons_of

pytestmark = pytest.mark.slow

NAN = np.nan


def rng():
    return np.random.default_rng(0)


def pairs_of(first, second, outcome, **columns):
    return comparisons_of(np.array(first), np.array(second), np.array(outcome), **columns)


def by_prompt(n_clips, per_prompt):
    return Units(np.arange(n_clips) // per_prompt, "prompts")


def test_a_pair_is_right_wrong_half_or_unknown():
    pairs = pairs_of([0, 0, 0, 1, 0], [1, 1, 2, 3, 1], [1, 0, 1, 1, 0.5])
    values = np.array([2.0, 1.0, 2.0, NAN])
    np.testing.assert_array_equal(agreement(values, pairs), [1, 0, 0.5, NAN, NAN])


def test_accuracy_is_the_share_of_decided_pairs_with_both_values():
    pairs = pairs_of([0, 2, 4, 6], [1, 3, 5, 7], [1, 1, 0, 0.5])
    values = np.array([2, 1, 2, 1, 2, 1, 2, 1.0])
    found = accuracy(values, pairs, by_prompt(8, 2), rng=rng())
    assert (found.value, found.n, found.n_clusters) == (pytest.approx(2 / 3), 3, 3)


def test_a_perfect_signal_is_not_certain_to_be_perfect():
    pairs = pairs_of(np.arange(0, 40, 2), np.arange(1, 40, 2), np.ones(20))
    values = np.tile([1.0, 0.0], 20)
    found = accuracy(values, pairs, by_prompt(40, 2), rng=rng())
    # Clopper-Pearson for 20 of 20.
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 20))


def test_of_systems_that_all_met_each_meeting_is_a_trial():
    system = np.arange(5)
    first, second = np.triu_indices(5, 1)
    pairs = pairs_of(np.tile(first, 3), np.tile(second, 3), np.ones(30))
    found = accuracy(-np.arange(5.0), pairs, Units(system, "systems"), rng=rng())
    assert (found.n, found.n_clusters) == (30, 5)
    assert found.low == pytest.approx(0.025 ** (1 / 10))


def test_no_decided_pair_is_no_number():
    found = accuracy(np.array([1.0, NAN]), pairs_of([0], [1], [1]), by_prompt(2, 2), rng=rng())
    assert np.isnan(found.value)
    assert found.n == 0


def test_a_baseline_gets_the_direction_that_suits_it():
    pairs = pairs_of([0, 2, 4], [1, 3, 5], [1, 1, 0])
    falling = np.array([0, 1, 0, 1, 0, 1.0])
    assert np.nanmean(agreement(falling, pairs)) == pytest.approx(1 / 3)
    suited = in_the_suiting_direction(falling, pairs)
    assert np.nanmean(agreement(suited, pairs)) == pytest.approx(2 / 3)


def test_a_signal_gains_nothing_over_itself():
    generator = rng()
    pairs = pairs_of(np.arange(0, 60, 2), np.arange(1, 60, 2), generator.integers(0, 2, 30))
    values = generator.standard_normal(60)
    found = gain(values, 3 * values, pairs, by_prompt(60, 2), rng=generator)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_gain_is_over_pairs_that_both_decide():
    pairs = pairs_of([0, 2, 4], [1, 3, 5], [1, 1, 1])
    signal, baseline = np.array([1, 0, 1, 0, 1, 0.0]), np.array([0, 1, 1, 0, NAN, 0.0])
    found = gain(signal, baseline, pairs, by_prompt(6, 2), rng=rng())
    assert (found.value, found.n) == (0.5, 2)


def brute_force_agreement(difference, outcome, weight, threshold):
    said = np.where(np.abs(difference) <= threshold, 0.5, (1 + np.sign(difference)) / 2)
    return weight[said == outcome].sum()


@given(st.integers(0, 2**31), st.integers(1, 30))
def test_the_threshold_is_the_best_of_all_that_could_be_tried(seed, n):
    generator = np.random.default_rng(seed)
    outcome = generator.choice([0, 0.5, 1], n)
    weight = generator.integers(1, 4, n).astype(float)
    pairs = pairs_of(2 * np.arange(n), 2 * np.arange(n) + 1, outcome, weight=weight)
    difference = np.round(generator.standard_normal(n), 1)
    found = best_threshold(difference, pairs, np.ones(n, dtype=bool))
    tried = [
        brute_force_agreement(difference, outcome, weight, t) for t in [0, *np.abs(difference)]
    ]
    assert brute_force_agreement(difference, outcome, weight, found) == max(tried)


def test_acc_eq_counts_ties_that_are_called_like_answers():
    # In every prompt one pair far apart that was decided, and one close that was a tie.
    n = 30
    first, second = 4 * np.arange(n), 4 * np.arange(n) + 1
    pairs = pairs_of(
        np.concatenate([first, first + 2]),
        np.concatenate([second, second + 2]),
        np.concatenate([np.ones(n), np.full(n, 0.5)]),
    )
    values = np.tile([1.0, 0.0, 0.1, 0.0], n)
    units = by_prompt(4 * n, 4)
    folds = fold_of_pairs(units.of_clip, pairs, rng())
    found, threshold = tie_calibrated(values, pairs, folds, units, rng=rng())
    assert (found.value, threshold) == (1, pytest.approx(0.1))
    # Where the ties are further apart than the decided pairs, no threshold gets both right.
    far = np.tile([1.0, 0.0, 3.0, 0.0], n)
    assert tie_calibrated(far, pairs, folds, units, rng=rng())[0].value == 0.5


def test_no_pair_calibrates_its_own_threshold():
    # Every pair is a tie and every difference its own: the best threshold is the largest of them,
    # and the pair that has it is missed because the others do not know it.
    n = 25
    pairs = pairs_of(2 * np.arange(n), 2 * np.arange(n) + 1, np.full(n, 0.5))
    values = np.zeros(2 * n)
    values[0::2] = np.arange(1, n + 1)
    units = by_prompt(2 * n, 2)
    folds = fold_of_pairs(units.of_clip, pairs, rng())
    found, threshold = tie_calibrated(values, pairs, folds, units, rng=rng())
    assert threshold == n
    assert found.value < 1


def test_a_resample_of_systems_counts_pairs_as_a_table_of_their_copies_does():
    generator = rng()
    system = generator.integers(0, 6, 40)
    first, second = generator.permuted(np.tile(np.arange(40), (50, 1)), axis=1)[:, :2].T
    pairs = pairs_of(first, second, np.ones(50), items=[str(k) for k in range(40)])
    values = generator.random(50)
    seen = []

    class Spy:
        """Draws as a generator does and keeps what was drawn."""

        def multinomial(self, n, p, size):
            drawn = np.random.default_rng(len(seen)).multinomial(n, p, size=size)
            seen.append(drawn[0])
            return drawn

    found = pair_share(values, pairs, Units(system, "systems"), what="", rng=Spy())
    means = []
    for counts in seen:
        copies = [
            counts[system[a]] * (counts[system[b]] if system[a] != system[b] else 1)
            for a, b in zip(first, second, strict=True)
        ]
        means.append(np.repeat(values, copies).mean())
    np.testing.assert_allclose((found.low, found.high), np.quantile(means, [0.025, 0.975]))
    assert found.value == pytest.approx(values.mean())
    assert (found.n, found.n_clusters) == (50, 6)


def test_systems_are_resampled_where_there_are_five():
    prompts = np.zeros(8, dtype=int)
    assert Units.of(np.arange(8) % 5, prompts).name == "systems"
    assert Units.of(np.arange(8) % 4, prompts).name == "prompts"


def test_one_unit_has_no_interval():
    found = pair_share(
        np.array([0.0]), pairs_of([0], [1], [1]), by_prompt(2, 2), what="", rng=rng()
    )
    assert found.value == 0
    assert np.isnan(found.low)


def test_one_pair_of_two_systems_has_no_interval_where_most_resamples_miss_it():
    # Half of the resamples draw one of the two systems twice.
    pairs, units = pairs_of([0], [1], [1]), Units(np.arange(2), "systems")
    tie = np.array([0.5])
    found = [
        pair_share(tie, pairs, units, what="", rng=np.random.default_rng(seed))
        for seed in range(10)
    ]
    assert {each.value for each in found} == {0.5}
    missing = [each for each in found if np.isnan(each.low)]
    assert 0 < len(missing) < 10
    assert all("hold no pair: no interval" in each.method for each in missing)
