import numpy as np
import pytest

from auralign.errors import NotConvergedError
from auralign.stats.newton import Slopes, centred_covariance, filled, maximise_dense


def quadratic(matrix, peak):
    def slopes(x):
        away = x - peak
        return Slopes(float(-away @ matrix @ away / 2), -matrix @ away, matrix)

    return slopes


def test_a_quadratic_is_maximised_in_one_step():
    peak = np.array([1.0, -2.0])
    best = maximise_dense(quadratic(np.array([[2.0, 1], [1, 3]]), peak), np.zeros(2), 1e-12)
    np.testing.assert_allclose(best.parameters, peak)
    assert best.iterations == 1


def test_steps_are_halved_where_a_full_one_would_fall():
    """-sqrt(1 + x^2): from 2, Newton's full step goes to -8."""

    def slopes(x):
        root = np.sqrt(1 + x @ x)
        return Slopes(-float(root), -x / root, np.array([[root**-3]]))

    best = maximise_dense(slopes, np.array([2.0]), 1e-10)
    assert best.parameters[0] == pytest.approx(0, abs=1e-8)


def test_a_likelihood_that_rises_for_ever_is_not_converged():
    def slopes(x):
        # The information vanishes as the gradient does: each step is one unit to the right.
        e = np.exp(-x)
        return Slopes(-float(e[0]), e, np.diag(e))

    with pytest.raises(NotConvergedError, match="did not converge in 100 steps"):
        maximise_dense(slopes, np.zeros(1), 1e-300)


def test_singular_information_is_an_error_and_filling_mends_it():
    laplacian = np.array([[1.0, -1], [-1, 1]])
    objective = quadratic(laplacian, np.array([0.5, -0.5]))
    with pytest.raises(NotConvergedError, match="singular"):
        maximise_dense(objective, np.zeros(2), 1e-12)
    best = maximise_dense(filled(objective, 2), np.zeros(2), 1e-12)
    np.testing.assert_allclose(best.parameters, [0.5, -0.5])
    np.testing.assert_allclose(
        centred_covariance(best.slopes.information, 2), np.linalg.pinv(laplacian)
    )
