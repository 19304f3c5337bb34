import numpy as np
import pytest

from auralign.errors import DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import diagnose_connectivity, fit_bradley_terry, fit_components
from auralign.stats.pairs.connectivity import some_rows_are_strong, table_is_strong

# a and b beat each other, c and d too; one of the first beats one of the second; e and f are apart.
FIRST, SECOND = [0, 1, 2, 3, 0, 4, 5], [1, 0, 3, 2, 2, 5, 4]
ONE_SIDED = comparisons_of(FIRST[:5], SECOND[:5], np.ones(5), items="abcd")


def test_a_cycle_of_wins_is_connected():
    found = diagnose_connectivity(comparisons_of([0, 1, 2], [1, 2, 0], np.ones(3), items="abc"))
    assert (found.status, found.groups) == ("connected", (("a", "b", "c"),))
    assert (found.undefeated, found.winless) == ((), ())


def test_groups_that_never_lose_or_never_win_are_listed():
    found = diagnose_connectivity(ONE_SIDED)
    assert found.status == "one-sided"
    assert set(found.groups) == {("a", "b"), ("c", "d")}
    assert found.components == (("a", "b", "c", "d"),)
    assert (found.undefeated, found.winless) == ((("a", "b"),), (("c", "d"),))


def test_islands_are_listed_as_components():
    found = diagnose_connectivity(comparisons_of(FIRST, SECOND, np.ones(7), items="abcdef"))
    assert found.status == "disconnected"
    assert found.components == (("a", "b", "c", "d"), ("e", "f"))
    assert (found.undefeated, found.winless) == ((("a", "b"),), (("c", "d"),))


def test_ties_connect_both_ways_and_weightless_comparisons_do_not():
    assert diagnose_connectivity(comparisons_of([0], [1], [0.5])).status == "connected"
    silent = comparisons_of([0, 1], [1, 0], [1.0, 1.0], weight=[1.0, 0.0])
    assert diagnose_connectivity(silent).status == "one-sided"


def test_groups_can_be_fitted_each_alone():
    weight = [3.0, 1, 1, 4, 9, 2, 2]
    fit = fit_components(comparisons_of(FIRST, SECOND, np.ones(7), weight=weight, items="abcdef"))
    a, b, c, d, e, f = fit.log_worth
    assert (a - b, d - c, e - f) == pytest.approx((np.log(3), np.log(4), 0))
    assert "within 3 groups only" in fit.warnings[0]
    assert "1 comparisons between groups are left out" in fit.warnings[0]
    with pytest.raises(DataError, match="different blocks"):
        fit.difference("a", "c")


def test_an_item_alone_in_its_group_has_worth_zero():
    c = comparisons_of([0, 1, 2, 2], [1, 0, 0, 1], np.ones(4), items=["a", "b", "best"])
    fit = fit_components(c)
    assert fit.log_worth.tolist() == [0, 0, 0]
    assert "1 items alone" in fit.warnings[0]
    with pytest.raises(NotConvergedError, match="nothing can be fitted"):
        fit_components(comparisons_of([0], [1], [1.0]))


def test_a_connected_study_is_one_component():
    c = comparisons_of([0, 1, 2, 0], [1, 2, 0, 2], np.ones(4), weight=[2.0, 3, 1, 2])
    np.testing.assert_allclose(
        fit_components(c).log_worth, fit_bradley_terry(c).log_worth, atol=1e-7
    )


@pytest.mark.parametrize("seed", range(20))
def test_tables_and_rows_agree_with_powers_of_the_matrix(seed):
    generator = np.random.default_rng(seed)
    n = 6
    won = (generator.random((n, n)) < 0.3) * (1.0 - np.eye(n))
    reached = np.linalg.matrix_power(won + np.eye(n), n) > 0
    first, second = np.nonzero(won)
    assert table_is_strong(won) == reached.all()
    total = np.ones(len(first))
    assert some_rows_are_strong(first, second, total, None, n) == reached.all()
    turned = some_rows_are_strong(second, first, 1 - total, total, n)
    assert turned == reached.all()


def test_rows_without_weight_connect_nothing():
    first, second, total = np.array([0, 1]), np.array([1, 0]), np.array([1.0, 0.0])
    assert not some_rows_are_strong(first, second, total, total, 2)
