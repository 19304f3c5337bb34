import numpy as np
import pytest

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.agreement import (
    fleiss_kappa,
    fleiss_kappa_by_category,
    gwet_ac1,
    gwet_ac2,
    percent_agreement,
    randolph_kappa,
)
from auralign.stats.agreement.category_counts import category_weights

NAN = np.nan


def ratings_of(counts):
    """Raters who give these counts: `[unit, category]` -> `[rater, unit]`."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in counts], dtype=float).T


FOURTEEN_RATERS = ratings_of(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def test_fleiss_kappa_of_the_textbook_table():
    assert fleiss_kappa(FOURTEEN_RATERS).estimate.value == pytest.approx(0.209931, abs=5e-7)
    assert randolph_kappa(FOURTEEN_RATERS).estimate.value == pytest.approx(0.222527, abs=5e-7)


def test_fleiss_kappa_of_fleiss_1971(psychiatric):
    kappa = fleiss_kappa(psychiatric)
    assert kappa.estimate.value == pytest.approx(0.4302445, abs=5e-8)
    assert kappa.observed == pytest.approx(0.5556, abs=5e-5)
    assert kappa.expected == pytest.approx(0.2199, abs=5e-5)
    by_category = fleiss_kappa_by_category(psychiatric)
    assert list(by_category) == [1, 2, 3, 4, 5]
    assert list(by_category.values()) == pytest.approx(
        [0.24476, 0.24476, 0.52000, 0.47113, 0.56612], abs=5e-6
    )


def test_coefficients_of_krippendorffs_example_as_in_irrcac(four_observers):
    def value(kappa):
        return pytest.approx(kappa.estimate.value, abs=5e-6)

    ac1 = gwet_ac1(four_observers)
    assert value(ac1) == 0.77544
    assert "standard error 0.14295 " in ac1.estimate.method
    assert value(fleiss_kappa(four_observers)) == 0.76117
    assert value(randolph_kappa(four_observers)) == 0.77273
    assert value(gwet_ac2(four_observers, weights="quadratic")) == 0.91400


def test_percent_agreement_is_the_mean_share_of_agreeing_pairs():
    ratings = [[1, 1, 2, NAN], [1, 2, 2, 3], [1, 1, 3, NAN]]
    assert percent_agreement(ratings).value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    linear = percent_agreement(ratings, weights="linear")
    # Of the scale 1 to 3 neighbours agree by half.
    assert linear.value == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert linear.n_clusters == 4


def test_weights_are_one_for_equal_categories_and_zero_for_the_ends():
    np.testing.assert_allclose(category_weights("linear", [1, 2, 5])[0], [1, 0.75, 0])
    np.testing.assert_allclose(category_weights("quadratic", [1, 2, 5])[0], [1, 15 / 16, 0])
    np.testing.assert_allclose(category_weights("ordinal", [1, 2, 5])[0], [1, 2 / 3, 0])
    np.testing.assert_allclose(category_weights("identity", [1, 2, 5]), np.eye(3))


def test_ac1_stays_high_where_nearly_all_ratings_are_in_one_category():
    """The paradox of kappa: 98 % agreement and a kappa below zero (Gwet 2008)."""
    ratings = np.ones((2, 100))
    ratings[0, 0] = ratings[1, 1] = 2
    assert percent_agreement(ratings).value == pytest.approx(0.98)
    assert fleiss_kappa(ratings).estimate.value == pytest.approx(-1 / 99)
    expected = 2 * 0.01 * 0.99
    assert gwet_ac1(ratings).estimate.value == pytest.approx((0.98 - expected) / (1 - expected))


def test_the_linearised_standard_error_is_that_of_a_simulation():
    rng = np.random.default_rng(3)

    def sample():
        truth = rng.integers(0, 3, 200)
        wrong = rng.random((4, 200)) < 0.3
        return np.where(wrong, rng.integers(0, 3, (4, 200)), truth).astype(float)

    for coefficient in (fleiss_kappa, gwet_ac1, randolph_kappa):
        kappas = [coefficient(sample()).estimate for _ in range(200)]
        spread = np.std([k.value for k in kappas])
        claimed = np.mean([(k.high - k.low) / 2 / 1.972 for k in kappas])
        assert claimed == pytest.approx(spread, rel=0.15)


def test_categories_that_nobody_chose_count_for_randolph_and_gwet(psychiatric):
    wide = range(1, 11)
    narrow = randolph_kappa(psychiatric).expected
    assert (narrow, randolph_kappa(psychiatric, categories=wide).expected) == pytest.approx(
        (1 / 5, 1 / 10)
    )
    assert gwet_ac1(np.ones((3, 4)), categories=[1, 2]).estimate.value == 1
    assert fleiss_kappa(psychiatric, categories=wide).estimate.value == pytest.approx(0.4302445)


def test_coefficients_of_constant_ratings_do_not_exist_but_percent_agreement_does():
    constant = np.full((3, 5), 2.0)
    with pytest.raises(NotConvergedError, match="all ratings are in one category"):
        fleiss_kappa(constant)
    with pytest.raises(NotConvergedError, match="name all `categories`"):
        gwet_ac1(constant)
    assert percent_agreement(constant).value == 1


def test_one_unit_has_no_interval():
    estimate = percent_agreement([[1], [1], [2]])
    assert estimate.value == pytest.approx(1 / 3)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert "one unit, no interval" in estimate.method


def test_bad_input_is_named(psychiatric):
    with pytest.raises(DataError, match=r"rating 5 is not one of the categories \[1, 2, 3, 4\]"):
        fleiss_kappa(psychiatric, categories=[1, 2, 3, 4])
    with pytest.raises(DataError, match="at least one unit with two ratings"):
        gwet_ac1([[1, NAN], [NAN, 2]])
    with pytest.raises(ConfigError, match="identity, linear, quadratic, ordinal, got 'cubic'"):
        gwet_ac2(psychiatric, weights="cubic")
    with pytest.raises(DataError, match=r"must be \[rater, unit\], got 1 dimensions"):
        percent_agreement([1, 2])
