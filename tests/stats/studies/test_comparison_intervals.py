import numpy as np
import pytest

from auralign.stats.comparisons import comparisons_from
from auralign.stats.pairs import fit_bradley_terry
from auralign.stats.pairs.quasi_variances import quasi_variances
from auralign.stats.studies import rank_study
from auralign.stats.studies.clustering import ItemErrors
from auralign.stats.studies.comparison_intervals import comparison_intervals

ONE_BLOCK = np.zeros(3, dtype=np.int64)


def errors_of(variances):
    v = np.asarray(variances, dtype=float)
    return ItemErrors(np.sqrt(v), np.sqrt(v[:, None] + v), np.full(len(v), np.inf))


def test_independent_estimates_have_their_own_variances():
    found = comparison_intervals(errors_of([0.1, 0.4, 0.2]), ONE_BLOCK, 0.95)
    assert found.variances == pytest.approx([0.1, 0.4, 0.2])
    assert found.worst_error == pytest.approx(0, abs=1e-9)
    low, high = found.interval(1, 2.0)
    assert high - 2.0 == pytest.approx(1.959964 * np.sqrt(0.4))
    assert low + high == pytest.approx(4.0)


def test_an_item_alone_in_its_block_has_none():
    found = comparison_intervals(errors_of([0.1, 0.4, 0.2]), np.array([0, 0, 1]), 0.95)
    assert found.variance(2) is None
    assert found.interval(2, 0.0) is None
    assert found.variances[:2] == pytest.approx([0.25, 0.25])


def test_without_errors_of_differences_there_are_none():
    no_differences = ItemErrors(np.ones(3), None, np.full(3, 5.0))
    assert comparison_intervals(no_differences, ONE_BLOCK, 0.95) is None
    degenerate = ItemErrors(np.ones(3), np.zeros((3, 3)), np.full(3, 5.0))
    assert comparison_intervals(degenerate, ONE_BLOCK, 0.95) is None


def test_a_table_of_votes_has_those_of_the_fit(write_study, make):
    judgements = make.random_votes()
    path = write_study(judgements)
    found = rank_study(path, "overall", cluster="rater", rng=np.random.default_rng(0))
    comparisons = comparisons_from(
        judgements, "overall", item_of=lambda clip: clip.partition("/")[2]
    )
    expected = quasi_variances(fit_bradley_terry(comparisons))
    of_fit = dict(zip(expected.items, expected.variances, strict=True))
    assert {row.item: row.quasi_variance for row in found.items} == pytest.approx(of_fit)
    assert found.quasi_error == pytest.approx(expected.worst_error)
