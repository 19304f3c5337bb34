"""Ability of raters and easiness of tasks, with the true labels unseen (Whitehill et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse, special

from auralign.errors import ConfigError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.ascent import climb
from auralign.stats.raters.labels import Labels, label_codes

TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class GladFit:
    """Labels, abilities and easiness at the posterior maximum.

    posterior               `[tasks, classes]`, probability of each true label
    ability                 `[raters]`; 0 is right in half of all cases, with two classes a guess
    log_easiness            `[tasks]`; a hard task has a low one
    ability_errors, log_easiness_errors
                            from the curvature of the log-posterior at its maximum, which is
                            biased itself: as many easinesses as tasks; for ranks, not intervals
    log_likelihood          of the labels, without the priors
    """

    tasks: tuple[str, ...]
    raters: tuple[str, ...]
    classes: tuple[str, ...]
    posterior: FloatArray
    ability: FloatArray
    ability_errors: FloatArray
    log_easiness: FloatArray
    log_easiness_errors: FloatArray
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: str
    warnings: tuple[str, ...]

    @property
    def label(self) -> tuple[str, ...]:
        """The most probable class of each task."""
        return tuple(self.classes[k] for k in self.posterior.argmax(axis=1))


@dataclass(frozen=True, eq=False)
class _Rows:
    """One row per label: its task, rater and class; and how many of each there are."""

    task: IntArray
    rater: IntArray
    label: IntArray
    n_tasks: int
    n_raters: int
    n_classes: int


@dataclass(frozen=True)
class _Priors:
    ability: tuple[float, float]
    log_easiness: tuple[float, float]


def fit_glad(
    task: Labels,
    rater: Labels,
    label: Labels,
    *,
    ability_prior: tuple[float, float] = (1.0, 1.0),
    log_easiness_prior: tuple[float, float] = (1.0, 1.0),
) -> GladFit:
    """GLAD (Whitehill et al. 2009, NIPS): P(right label) = 1 / (1 + exp(-ability * easiness)).

    `task`, `rater` and `label` are `[n]`. All wrong labels are equally probable, and so are all
    true labels beforehand. The priors are normal, (mean, standard deviation), as in the paper:
    one on the ability, one on the log of the easiness; they fix the scale and the sign, and decide
    for raters and tasks with few labels. The log-posterior, true labels summed out, is climbed
    directly from the priors' means; its stationary points are the fixed points of the paper's EM.
    The maximum is local.

    Raises `DataError` for unequal lengths or a single label, `ConfigError` for a prior without
    a positive standard deviation, `NotConvergedError` when the gradient does not vanish.
    """
    priors = _Priors(ability_prior, log_easiness_prior)
    _check(priors)
    (tasks, t), (raters, r), (classes, c) = label_codes(task, rater, label)
    rows = _Rows(t, r, c, len(tasks), len(raters), len(classes))
    start = np.repeat([ability_prior[0], log_easiness_prior[0]], [len(raters), len(tasks)])
    best = climb(partial(_log_posterior, rows, priors), start, TOLERANCE * len(t) ** 0.5)
    ability, log_easiness = np.split(best.parameters, [len(raters)])
    posterior, log_likelihood = _expect(rows, ability, log_easiness)
    errors = _errors(rows, priors, ability, log_easiness, posterior)
    return GladFit(
        tasks=tasks,
        raters=raters,
        classes=classes,
        posterior=posterior,
        ability=ability,
        ability_errors=errors[0],
        log_easiness=log_easiness,
        log_easiness_errors=errors[1],
        log_likelihood=log_likelihood,
        n=len(t),
        iterations=best.iterations,
        gradient_max=best.gradient_max,
        status="regularised",
        warnings=_warnings(rows, priors, ability, errors[0]),
    )


def _log_posterior(
    rows: _Rows, priors: _Priors, parameters: FloatArray
) -> tuple[float, FloatArray]:
    """The log-posterior (without constants) and its gradient by [ability, log easiness]."""
    ability, log_easiness = np.split(parameters, [rows.n_raters])
    posterior, log_likelihood = _expect(rows, ability, log_easiness)
    easiness = np.exp(log_easiness)
    slope = _slope(rows, ability, easiness, posterior)
    (mean_a, sd_a), (mean_b, sd_b) = priors.ability, priors.log_easiness
    z_a, z_b = (ability - mean_a) / sd_a, (log_easiness - mean_b) / sd_b
    by_ability = sum_by(rows.rater, easiness[rows.task] * slope, rows.n_raters) - z_a / sd_a
    margin = ability[rows.rater] * easiness[rows.task]
    by_easiness = sum_by(rows.task, margin * slope, rows.n_tasks) - z_b / sd_b
    value = log_likelihood - float(z_a @ z_a + z_b @ z_b) / 2
    return value, np.concatenate([by_ability, by_easiness])


def _expect(rows: _Rows, ability: FloatArray, log_easiness: FloatArray) -> tuple[FloatArray, float]:
    """The posterior of the true labels `[tasks, classes]`, and the log-likelihood."""
    margin = ability[rows.rater] * np.exp(log_easiness)[rows.task]
    # log P(label | wrong) for all rows, and the gain of the class that the row names.
    wrong = special.log_expit(-margin) - np.log(rows.n_classes - 1)
    cell = rows.task * rows.n_classes + rows.label
    gain = sum_by(cell, margin + np.log(rows.n_classes - 1), rows.n_tasks * rows.n_classes)
    joint = gain.reshape(rows.n_tasks, rows.n_classes) - np.log(rows.n_classes)
    evidence = special.logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - evidence), float(wrong.sum() + evidence.sum())


def _slope(
    rows: _Rows, ability: FloatArray, easiness: FloatArray, posterior: FloatArray
) -> FloatArray:
    """Derivative of the log-likelihood by ability * easiness of each row, `[n]`."""
    margin = ability[rows.rater] * easiness[rows.task]
    slope: FloatArray = posterior[rows.task, rows.label] - special.expit(margin)
    return slope


def _errors(
    rows: _Rows,
    priors: _Priors,
    ability: FloatArray,
    log_easiness: FloatArray,
    posterior: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Standard errors `[raters]` and `[tasks]`, NaN where the point is not a maximum.

    Tasks are independent given the abilities, so their block of the information is diagonal and
    the rest is a Schur complement of the size of the panel.
    """
    by_rater, across, by_task = _information(rows, ability, np.exp(log_easiness), posterior)
    by_rater += np.eye(rows.n_raters) / priors.ability[1] ** 2
    by_task += 1 / priors.log_easiness[1] ** 2
    across = across.toarray()
    schur = by_rater - across.T @ (across / by_task[:, None])
    if by_task.min() <= 0 or np.linalg.eigvalsh(schur)[0] <= 0:
        return np.full(rows.n_raters, np.nan), np.full(rows.n_tasks, np.nan)
    covariance = np.linalg.inv(schur)
    leverage = across / by_task[:, None]
    task_variance = 1 / by_task + np.einsum("tr,rs,ts->t", leverage, covariance, leverage)
    return np.sqrt(np.diag(covariance)), np.sqrt(task_variance)


def _information(
    rows: _Rows, ability: FloatArray, easiness: FloatArray, posterior: FloatArray
) -> tuple[FloatArray, sparse.csr_array, FloatArray]:
    """Negative second derivatives: `[raters, raters]`, `[tasks, raters]`, `[tasks]`.

    Not knowing the label makes the rows of a task covary: the covariance of "this row names the
    true label" given the data is taken off.
    """
    shape = rows.n_tasks, rows.n_raters
    beta = easiness[rows.task]
    margin = ability[rows.rater] * beta
    slope = _slope(rows, ability, easiness, posterior)
    steep = special.expit(margin) * special.expit(-margin)
    by_rater = np.diag(sum_by(rows.rater, beta**2 * steep, rows.n_raters))
    across = sparse.csr_array((beta * (margin * steep - slope), (rows.task, rows.rater)), shape)
    by_task = sum_by(rows.task, margin**2 * steep - margin * slope, rows.n_tasks)
    mean = sparse.csr_array(shape)
    mean_margin = np.zeros(rows.n_tasks)
    for k in range(rows.n_classes):
        named = np.where(rows.label == k, beta, 0.0)
        gain = sparse.csr_array((named, (rows.task, rows.rater)), shape)
        total = sum_by(rows.task, named * ability[rows.rater], rows.n_tasks)
        weight = posterior[:, k]
        by_rater -= (gain.T @ _scale(gain, weight)).toarray()
        across -= _scale(gain, weight * total)
        by_task -= weight * total**2
        mean += _scale(gain, weight)
        mean_margin += weight * total
    by_rater += (mean.T @ mean).toarray()
    return by_rater, across + _scale(mean, mean_margin), by_task + mean_margin**2


def _scale(matrix: sparse.csr_array, by_row: FloatArray) -> sparse.csr_array:
    return sparse.diags_array(by_row).tocsr() @ matrix


def _warnings(
    rows: _Rows, priors: _Priors, ability: FloatArray, errors: FloatArray
) -> tuple[str, ...]:
    few = int((np.bincount(rows.rater, minlength=rows.n_raters) < 10).sum())
    contrary = int((ability + 2 * errors < 0).sum()) if rows.n_classes == 2 else 0
    (mean_a, sd_a), (mean_b, sd_b) = priors.ability, priors.log_easiness
    remarks = {
        f"regularised: normal priors on the ability ({mean_a:g}, {sd_a:g}) and on the log easiness "
        f"({mean_b:g}, {sd_b:g}), given as mean and standard deviation": True,
        "abilities and easiness are maximised together, so their standard errors are too small: "
        "rank raters by them, claim no interval": True,
        f"{few} raters gave fewer than 10 labels: mostly the prior speaks for them": few > 0,
        f"{contrary} raters answer the opposite of the others more often than not": contrary > 0,
        "no standard errors: the curvature is not that of a maximum": bool(np.isnan(errors).any()),
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _check(priors: _Priors) -> None:
    for name, (mean, sd) in vars(priors).items():
        if not (np.isfinite(mean) and np.isfinite(sd) and sd > 0):
            raise ConfigError(
                f"{name}_prior must be a mean and a positive standard deviation, got {mean}, {sd}"
            )
