"""Severity-corrected scores: least squares as the slow twin, restricted likelihood, intervals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.ratings.severity import fit_severity, severity_corrected_mos
from auralign.stats.ratings.table import RatingTable

Floats = NDArray[np.float64]


def table_of(values: Floats) -> RatingTable:
    raters = tuple(f"rater {k}" for k in range(values.shape[0]))
    return RatingTable(raters, tuple(f"clip {k}" for k in range(values.shape[1])), values)


def simulated(
    seed: int, n_raters: int = 12, n_clips: int = 30, missing: float = 0.4
) -> tuple[Floats, Floats, Floats, RatingTable]:
    rng = np.random.default_rng(seed)
    score, bias = rng.normal(3, 1, n_clips), rng.normal(0, 0.7, n_raters)
    spread = np.exp(rng.normal(-0.5, 0.6, n_raters))
    values = score + bias[:, None] + spread[:, None] * rng.normal(size=(n_raters, n_clips))
    values[rng.random(values.shape) < missing] = np.nan
    return score, bias, spread, table_of(values)


def design(table: RatingTable) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Dense design `[ratings, clips + raters]`, the ratings, and who gave each."""
    rater, clip = np.nonzero(np.isfinite(table.values))
    n_clips = len(table.clips)
    x = np.zeros((len(rater), n_clips + len(table.raters)))
    x[np.arange(len(rater)), clip] = 1
    x[np.arange(len(rater)), n_clips + rater] = 1
    return x, table.values[rater, clip], rater


@pytest.mark.parametrize("shape", [(5, 12), (12, 5)])
def test_equal_variances_are_least_squares_with_missing_cells(shape: tuple[int, int]) -> None:
    *_, table = simulated(0, *shape, missing=0.3)
    fit = fit_severity(table, rater_variance="equal")
    x, y, _ = design(table)
    solution, *_ = np.linalg.lstsq(x, y, rcond=None)
    score, bias = solution[: shape[1]], solution[shape[1] :]
    np.testing.assert_allclose(fit.bias, bias - bias.mean(), atol=1e-10)
    np.testing.assert_allclose(fit.score, score + bias.mean(), atol=1e-10)
    variance = ((y - x @ solution) ** 2).sum() / fit.degrees_of_freedom
    assert fit.degrees_of_freedom == len(y) - np.linalg.matrix_rank(x)
    to_score = np.hstack([np.eye(shape[1]), np.full((shape[1], shape[0]), 1 / shape[0])])
    covariance = variance * to_score @ np.linalg.pinv(x.T @ x) @ to_score.T
    np.testing.assert_allclose(fit.covariance, covariance, atol=1e-10)
    to_bias = np.hstack([np.zeros((shape[0], shape[1])), np.eye(shape[0]) - 1 / shape[0]])
    covariance = variance * to_bias @ np.linalg.pinv(x.T @ x) @ to_bias.T
    np.testing.assert_allclose(fit.bias_errors, np.sqrt(np.diag(covariance)), atol=1e-10)


def test_a_complete_table_gives_the_means_of_clips_and_raters() -> None:
    values = np.array([[1.0, 2.0, 4.0], [2.0, 4.0, 5.0], [3.0, 3.0, 5.0]])
    fit = fit_severity(table_of(values), rater_variance="equal")
    np.testing.assert_allclose(fit.score, values.mean(axis=0))
    np.testing.assert_allclose(fit.bias, values.mean(axis=1) - values.mean())
    np.testing.assert_allclose(fit.severity, -fit.bias)


def test_own_variances_maximise_the_restricted_likelihood() -> None:
    *_, table = simulated(1, 6, 20, missing=0.2)
    fit = fit_severity(table, shrinkage=0.0)
    x, y, rater = design(table)
    free = x[:, :-1]

    def restricted(log_variance: Floats) -> float:
        weight = np.exp(-log_variance)[rater]
        information = free.T @ (weight[:, None] * free)
        residual = y - free @ np.linalg.solve(information, free.T @ (weight * y))
        quadratic = weight @ residual**2 + np.linalg.slogdet(information)[1]
        return float(-(log_variance[rater].sum() + quadratic) / 2)

    at = 2 * np.log(fit.inconsistency)
    slope = [(restricted(at + h) - restricted(at - h)) / 2e-5 for h in 1e-5 * np.eye(6)]
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_severe_and_erratic_raters_are_recovered_and_intervals_hold() -> None:
    inside, errors_of_means, errors = [], [], []
    for seed in range(40):
        score, bias, spread, table = simulated(seed)
        fit = fit_severity(table)
        truth = score + bias.mean()
        intervals = list(fit.estimates().values())
        inside += [e.low < t < e.high for e, t in zip(intervals, truth, strict=True)]
        errors.append(fit.score - truth)
        errors_of_means.append(np.nanmean(table.values, axis=0) - truth)
    assert 0.92 < np.mean(inside) < 0.98
    assert np.std(errors) < 0.7 * np.std(errors_of_means)
    assert np.corrcoef(fit.bias, bias)[0, 1] > 0.95
    assert np.corrcoef(fit.inconsistency, spread)[0, 1] > 0.8


def test_shifting_one_rater_moves_only_the_bias() -> None:
    *_, table = simulated(2)
    shifted = table.values.copy()
    shifted[0] += 2.0
    one, other = fit_severity(table), fit_severity(table_of(shifted))
    np.testing.assert_allclose(other.score, one.score + 2 / 12, atol=1e-6)
    assert other.bias[0] - one.bias[0] == pytest.approx(2 - 2 / 12, abs=1e-6)


def test_judgements_give_an_estimate_for_each_clip(rating) -> None:  # type: ignore[no-untyped-def]
    answers = {"ann": (1, 2, 4), "bob": (2, 4, 5), "cat": (3, 3, 5)}
    judgements = [
        rating(clip, value, rater)
        for rater, values in answers.items()
        for clip, value in zip("xyz", values, strict=True)
    ]
    scores = severity_corrected_mos(judgements, "overall", rater_variance="equal")
    assert scores["x"].value == pytest.approx(2.0)
    assert scores["x"].low < 2 < scores["x"].high
    assert scores["x"].n_clusters == 3
    assert "severity-corrected" in scores["x"].method


def test_groups_without_a_common_rating_are_refused_by_name() -> None:
    values = np.full((4, 4), np.nan)
    values[:2, :2] = [[1, 2], [2, 4]]
    values[2:, 2:] = [[1, 2], [2, 4]]
    with pytest.raises(NotConvergedError, match=r"2 groups .* clip 0, clip 2"):
        fit_severity(table_of(values))


def test_bad_input_is_refused() -> None:
    *_, table = simulated(3)
    with pytest.raises(ConfigError, match="did you mean 'equal'"):
        fit_severity(table, rater_variance="equals")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="shrinkage must be"):
        fit_severity(table, shrinkage=-1)
    with pytest.raises(DataError, match="at least one rating of each clip"):
        fit_severity(table_of(np.full((2, 2), np.nan)))
    with pytest.raises(NotConvergedError, match="no more ratings than scores"):
        fit_severity(table_of(np.array([[1.0, 2.0]])))
    with pytest.raises(NotConvergedError, match="fit score \\+ bias exactly"):
        fit_severity(table_of(np.array([[1.0, 2.0], [2.0, 3.0]])))
