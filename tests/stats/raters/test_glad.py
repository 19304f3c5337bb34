"""GLAD: derivatives by finite differences, EM as the slow twin, recovery of abilities."""

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from auralign.errors import ConfigError, DataError
from auralign.stats.correlation import spearman
from auralign.stats.raters import glad
from auralign.stats.raters.glad import fit_glad

Floats = NDArray[np.float64]


def simulated(
    rng: np.random.Generator, n_tasks: int, n_raters: int, n_classes: int
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Abilities, log easiness, truth and labels `[tasks, raters]`, drawn from the model."""
    ability, log_easiness = rng.normal(1, 1, n_raters), rng.normal(1, 1, n_tasks)
    truth = rng.integers(0, n_classes, n_tasks)
    right = rng.random((n_tasks, n_raters)) < special.expit(np.outer(np.exp(log_easiness), ability))
    wrong = (truth[:, None] + rng.integers(1, n_classes, right.shape)) % n_classes
    return ability, log_easiness, truth, np.where(right, truth[:, None], wrong)


def rows_of(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    task, rater = (a.ravel() for a in np.indices(labels.shape))
    return task, rater, labels.ravel()


def problem(labels: NDArray[np.int64]) -> tuple[glad._Rows, glad._Priors]:
    rows = glad._Rows(*rows_of(labels), *labels.shape, int(labels.max()) + 1)
    return rows, glad._Priors((1.0, 1.0), (1.0, 1.0))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_gradient_is_that_of_finite_differences(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    *_, labels = simulated(rng, 12, 5, n_classes)
    objective = partial(glad._log_posterior, *problem(labels))
    at = rng.normal(0.5, 1, 17)
    numeric = optimize.approx_fprime(at, lambda x: objective(x)[0], 1e-7)
    np.testing.assert_allclose(objective(at)[1], numeric, atol=1e-5)


def test_standard_errors_are_those_of_the_curvature_by_finite_differences() -> None:
    *_, labels = simulated(np.random.default_rng(3), 10, 6, 3)
    fit = fit_glad(*rows_of(labels))
    objective = partial(glad._log_posterior, *problem(labels))
    best = np.concatenate([fit.ability, fit.log_easiness])
    hessian = np.array(
        [(objective(best + h)[1] - objective(best - h)[1]) / 2e-5 for h in 1e-5 * np.eye(16)]
    )
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    found = np.concatenate([fit.ability_errors, fit.log_easiness_errors])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_log_likelihood_is_the_sum_over_true_labels_written_out() -> None:
    *_, labels = simulated(np.random.default_rng(4), 9, 4, 3)
    fit = fit_glad(*rows_of(labels))
    p = special.expit(np.outer(np.exp(fit.log_easiness), fit.ability))
    total = 0.0
    for row, right in zip(labels, p, strict=True):
        by_class = [np.prod(np.where(row == k, right, (1 - right) / 2)) / 3 for k in range(3)]
        total += np.log(sum(by_class))
    assert fit.log_likelihood == pytest.approx(total, rel=1e-10)


def test_em_of_the_paper_ends_at_the_same_point() -> None:
    *_, labels = simulated(np.random.default_rng(5), 12, 6, 2)
    parameters = np.ones(18)

    def expected_loss(x: Floats, posterior: Floats) -> float:
        margin = np.outer(np.exp(x[6:]), x[:6])
        right = np.take_along_axis(posterior, labels, axis=1)
        likelihood = right * special.log_expit(margin) + (1 - right) * special.log_expit(-margin)
        return float(((x - 1) ** 2).sum() / 2 - likelihood.sum())

    for _ in range(40):
        margin = np.outer(np.exp(parameters[6:]), parameters[:6])
        evidence = np.stack([((labels == k) * margin).sum(axis=1) for k in (0, 1)], axis=1)
        posterior = special.softmax(evidence, axis=1)
        parameters = optimize.minimize(expected_loss, parameters, args=(posterior,)).x
    fit = fit_glad(*rows_of(labels))
    order = np.argsort(np.array(fit.tasks, dtype=int))
    np.testing.assert_allclose(fit.ability, parameters[:6], atol=2e-3)
    np.testing.assert_allclose(fit.log_easiness[order], parameters[6:], atol=2e-3)
    np.testing.assert_allclose(fit.posterior[order], posterior, atol=2e-3)


def test_abilities_easiness_and_labels_are_recovered_from_simulated_raters() -> None:
    rng = np.random.default_rng(6)
    ability, log_easiness, truth, labels = simulated(rng, 500, 25, 2)
    fit = fit_glad(*rows_of(labels))
    order = np.argsort(np.array(fit.tasks, dtype=int))
    raters = np.argsort(np.array(fit.raters, dtype=int))
    found = fit.ability[raters]
    assert spearman(found, ability, rng=rng, n_resamples=10).value > 0.95
    assert np.corrcoef(fit.log_easiness[order], log_easiness)[0, 1] > 0.5
    majority = labels.mean(axis=1) > 0.5
    assert (fit.posterior[order].argmax(axis=1) == truth).mean() >= (majority == truth).mean()


def test_a_contrary_rater_gets_a_negative_ability_and_is_named() -> None:
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 60)
    labels = np.where(rng.random((60, 6)) < 0.9, truth[:, None], 1 - truth[:, None])
    labels[:, 5] = 1 - truth
    fit = fit_glad(*rows_of(labels))
    assert fit.ability[5] < 0 < fit.ability[:5].min()
    assert any("1 raters answer the opposite" in w for w in fit.warnings)


def test_the_priors_are_stated_and_decide_for_a_rater_with_one_label() -> None:
    task, rater, label = [1, 1, 1, 2, 2], list("abcab"), list("xxyxx")
    weak = fit_glad(task, rater, label, ability_prior=(1.0, 0.1))
    assert weak.ability[2] == pytest.approx(1.0, abs=0.1)
    assert "priors on the ability (1, 0.1)" in weak.warnings[0]
    assert weak.status == "regularised"


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="2 labels that are all equal"):
        fit_glad([1, 2], ["a", "b"], ["x", "x"])
    with pytest.raises(ConfigError, match="ability_prior must be"):
        fit_glad([1, 2], ["a", "b"], ["x", "y"], ability_prior=(0, 0))
