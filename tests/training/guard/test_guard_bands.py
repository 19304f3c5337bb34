import numpy as np
import pytest

from auralign.training.guard.bands import learn_bands, shift

pytestmark = pytest.mark.slow

TWO_EACH = np.array([0, 0, 1, 1, 2, 2])


def test_the_standard_error_is_that_of_paired_differences_of_prompts():
    band = learn_bands({"m": np.array([1.0, 3.0, 4.0, 4.0, 8.0, 10.0])}, TWO_EACH)["m"]
    found = shift(band, np.array([3.0, 3.0, 5.0, 7.0, 9.0, 11.0]), TWO_EACH)
    differences = np.array([3 - 2, 6 - 4, 10 - 9])
    assert found.change == pytest.approx(differences.mean())
    assert found.error == pytest.approx(differences.std(ddof=1) / np.sqrt(3))


def test_a_constant_difference_between_prompts_is_no_error():
    base = np.array([1.0, 1.0, 50.0, 50.0, 900.0, 900.0])
    found = shift(learn_bands({"m": base}, TWO_EACH)["m"], base + 2, TWO_EACH)
    assert (found.change, found.error) == (2.0, 0.0)
    assert found.risen()
    assert not found.fallen()


def test_prompts_without_a_value_on_one_side_are_left_out_and_counted():
    nan = np.nan
    band = learn_bands({"m": np.array([1.0, 1.0, nan, nan, 5.0, 5.0])}, TWO_EACH)["m"]
    found = shift(band, np.array([2.0, nan, 100.0, 100.0, 5.0, 7.0]), TWO_EACH)
    assert (found.before, found.after) == (3.0, 4.0)
    assert (found.n, found.n_missing, found.n_prompts, found.n_reference) == (5, 1, 2, 4)


def test_tails_are_shares_of_clips_beyond_the_quantiles_of_before():
    prompt = np.repeat(np.arange(101), 1)
    band = learn_bands({"m": np.arange(101.0)}, prompt)["m"]
    assert (band.low, band.high) == (1.0, 99.0)
    found = shift(band, np.where(prompt < 10, 99.5, 50.0), prompt)
    assert (found.below, found.above) == (0.0, pytest.approx(10 / 101))


def test_a_measure_without_any_value_has_an_empty_band():
    band = learn_bands({"m": np.full(6, np.nan)}, TWO_EACH)["m"]
    found = shift(band, np.arange(6.0), TWO_EACH)
    assert (found.n_prompts, band.n) == (0, 0)
    assert np.isnan(found.before)
