"""Accelerated EM and the observed information of mixtures, on a mixture of two coins."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from auralign.errors import NotConvergedError
from auralign.stats.raters import latent_classes
from auralign.stats.raters.latent_classes import (
    Step,
    accelerated_em,
    covariance_of,
    observed_information,
)

Floats = NDArray[np.float64]
HEADS, TOSSES = np.array([1.0, 2, 2, 3, 8, 9, 7, 4, 5, 9]), 10.0


def posterior(parameters: Floats) -> tuple[Floats, float]:
    """Responsibilities `[units, 2]` and log-likelihood; parameters are p0, p1, share of coin 1."""
    p, share = parameters[:2], np.array([1 - parameters[2], parameters[2]])
    joint = share * p ** HEADS[:, None] * (1 - p) ** (TOSSES - HEADS[:, None])
    return joint / joint.sum(axis=1, keepdims=True), float(np.log(joint.sum(axis=1)).sum())


def step(parameters: Floats) -> Step:
    weight, log_likelihood = posterior(parameters)
    p = weight.T @ HEADS / (weight.sum(axis=0) * TOSSES)
    after = np.append(p, weight[:, 1].mean())
    return Step(after, log_likelihood, float(np.abs(after - parameters).max()))


def project(reached: Floats, safe: Floats) -> Floats:
    return np.clip(reached, 0.01, 0.99)


def test_the_accelerated_em_ends_where_em_ends_in_fewer_steps() -> None:
    start, plain = np.array([0.4, 0.6, 0.5]), np.array([0.4, 0.6, 0.5])
    n_plain = 0
    while (moved := step(plain)).gradient_max > 1e-10:
        plain, n_plain = moved.parameters, n_plain + 1
    last, n_steps = accelerated_em(step, project, start, 1e-10)
    np.testing.assert_allclose(last.parameters, plain, atol=1e-8)
    assert n_steps < n_plain


def test_em_that_does_not_arrive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_classes, "MAX_STEPS", 3)
    with pytest.raises(NotConvergedError, match="EM did not converge in 3 steps"):
        accelerated_em(step, project, np.array([0.4, 0.6, 0.5]), 1e-12)


def test_the_observed_information_is_that_of_finite_differences() -> None:
    at = accelerated_em(step, project, np.array([0.4, 0.6, 0.5]), 1e-12)[0].parameters
    weight, _ = posterior(at)
    scores = [(HEADS - TOSSES * p)[:, None] for p in at[:2]]
    complete = [np.array([[weight[:, k].sum() * TOSSES * at[k] * (1 - at[k])]]) for k in range(2)]
    found = observed_information(weight, scores, complete)
    logits = np.append(special.logit(at[:2]), np.log([1 - at[2], at[2]]))

    def log_likelihood(x: Floats) -> float:
        return posterior(np.append(special.expit(x[:2]), special.softmax(x[2:])[1]))[1]

    h, eye = 1e-4, np.eye(4)
    curvature = [
        [
            sum(
                s * t * log_likelihood(logits + h * (s * eye[a] + t * eye[b]))
                for s in (1, -1)
                for t in (1, -1)
            )
            / (4 * h * h)
            for a in range(4)
        ]
        for b in range(4)
    ]
    np.testing.assert_allclose(found, -np.array(curvature), atol=1e-5)


def test_a_direction_without_information_has_no_variance_and_a_saddle_no_covariance() -> None:
    flat = covariance_of(np.array([[2.0, -2.0], [-2.0, 2.0]]))
    np.testing.assert_allclose(flat, np.array([[1, -1], [-1, 1]]) / 8)
    assert covariance_of(np.diag([1.0, -1.0])) is None
