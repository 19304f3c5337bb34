"""Crossed systems against dense linear algebra."""

import numpy as np
import pytest

from auralign.stats.ratings.crossed import invert_crossed


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_blocks_solution_and_determinant_are_those_of_the_dense_matrix(
    shape: tuple[int, int],
) -> None:
    rng = np.random.default_rng(0)
    cells = rng.random(shape)
    by_item, by_rater = cells.sum(axis=1) + 1, cells.sum(axis=0) + 2
    dense = np.block([[np.diag(by_item), cells], [cells.T, np.diag(by_rater)]])
    inverse, found = np.linalg.inv(dense), invert_crossed(by_item, by_rater, cells)
    n = shape[0]
    np.testing.assert_allclose(found.item_covariance(), inverse[:n, :n])
    np.testing.assert_allclose(found.rater_covariance(), inverse[n:, n:])
    np.testing.assert_allclose(np.r_[found.items, found.raters], np.diag(inverse))
    np.testing.assert_allclose(found.cross, inverse[:n, n:])
    assert found.log_determinant == pytest.approx(np.linalg.slogdet(dense)[1])
    right = rng.random(sum(shape))
    solution = np.concatenate(found.solve(right[:n], right[n:]))
    np.testing.assert_allclose(solution, np.linalg.solve(dense, right))
