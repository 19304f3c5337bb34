import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from auralign.errors import DataError, NotConvergedError
from auralign.stats.agreement import cohen_kappa, krippendorff_alpha

NAN = np.nan


@pytest.mark.parametrize(
    ("weights", "published"),
    [("identity", 0.119497), ("linear", 0.189189), ("quadratic", 0.296765)],
)
def test_kappa_of_two_raters_of_anxiety(anxiety, weights, published):
    kappa = cohen_kappa(anxiety[0], anxiety[1], weights=weights)
    assert kappa.estimate.value == pytest.approx(published, abs=5e-7)


@pytest.mark.parametrize(
    ("weights", "theirs"), [("identity", None), ("linear", "linear"), ("quadratic", "quadratic")]
)
def test_value_and_standard_error_equal_statsmodels(weights, theirs):
    rng = np.random.default_rng(1)
    first = rng.integers(0, 4, 200)
    second = np.clip(first + rng.integers(-1, 2, 200), 0, 3)
    table = np.bincount(first * 4 + second, minlength=16).reshape(4, 4)
    expected = cohens_kappa(table, wt=theirs)
    ours = cohen_kappa(first, second, weights=weights).estimate
    assert ours.value == pytest.approx(expected.kappa, abs=1e-12)
    assert (ours.high - ours.low) / 2 / 1.959964 == pytest.approx(expected.std_kappa, rel=1e-6)


def test_raters_who_agree_always_have_kappa_one_and_independent_raters_about_zero():
    first, second = np.random.default_rng(2).integers(0, 3, (2, 3000))
    assert cohen_kappa(first, first).estimate.value == 1
    assert cohen_kappa(first, second).estimate.value == pytest.approx(0, abs=0.05)
    assert krippendorff_alpha([first, second], level_of_measurement="nominal") == pytest.approx(
        cohen_kappa(first, second).estimate.value, abs=0.01
    )


def test_units_that_one_rater_missed_are_left_out_and_counted():
    kappa = cohen_kappa([1, 2, NAN, 2], [1, 2, 2, NAN])
    assert (kappa.estimate.value, kappa.estimate.n) == (1, 2)
    assert "2 of 4 units left out" in kappa.estimate.method


def test_bad_input_is_named():
    with pytest.raises(NotConvergedError, match="both raters put all units into one category"):
        cohen_kappa([1, 1], [1, 1])
    with pytest.raises(DataError, match="one length"):
        cohen_kappa([1, 1], [1, 1, 2])
    with pytest.raises(DataError, match="both raters rated, found none"):
        cohen_kappa([1, NAN], [NAN, 1])
    with pytest.raises(DataError, match="rating 3 is not one of the categories"):
        cohen_kappa([1, 3], [1, 1], categories=[1, 2])
