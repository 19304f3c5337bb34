"""True classes of tasks and the confusions of raters, from labels alone (Dawid & Skene 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from auralign.errors import ConfigError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.raters.labels import Labels, label_codes
from auralign.stats.raters.latent_classes import (
    MAX_DENSE_PARAMETERS,
    Step,
    accelerated_em,
    class_shares_and_errors,
    covariance_of,
    observed_information,
)

Errors = Literal["confusion", "one coin"]

TOLERANCE = 1e-5
LEAST = 1e-300
NEAR_ZERO = 0.01
MAX_SCORE_ENTRIES = 50_000_000


@dataclass(frozen=True, eq=False)
class DawidSkeneFit:
    """What the true classes are, and how each rater confuses them.

    posterior                  `[tasks, classes]`, probability of each true class
    prevalence                 `[classes]`, shares of the true classes
    confusion                  `[raters, true class, label]`, rows sum to 1
    prevalence_errors, confusion_errors
                               standard errors from the observed information; 0 where a share is
                               0, on the edge of what is possible; NaN where they do not exist
    log_likelihood             of the labels (without the multinomial constant and the prior)
    gradient_max               largest change of an expected count that another step would make:
                               a bound of the gradient by the logits of the shares
    """

    tasks: tuple[str, ...]
    raters: tuple[str, ...]
    classes: tuple[str, ...]
    posterior: FloatArray
    prevalence: FloatArray
    confusion: FloatArray
    prevalence_errors: FloatArray
    confusion_errors: FloatArray
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["local maximum", "regularised"]
    warnings: tuple[str, ...]

    @property
    def label(self) -> tuple[str, ...]:
        """The most probable class of each task."""
        return tuple(self.classes[k] for k in self.posterior.argmax(axis=1))

    @property
    def accuracy(self) -> FloatArray:
        """`[raters]`: probability of the true label, classes weighted by their prevalence."""
        right: FloatArray = np.einsum("k,rkk->r", self.prevalence, self.confusion)
        return right


@dataclass(frozen=True, eq=False)
class _Labels:
    """Counts of labels: `[tasks, raters * classes]`, and its transpose, both sparse."""

    counts: sparse.csr_array
    by_cell: sparse.csr_array
    shape: tuple[int, int, int]


def fit_dawid_skene(
    task: Labels,
    rater: Labels,
    label: Labels,
    *,
    errors: Errors = "confusion",
    smoothing: float = 0.0,
) -> DawidSkeneFit:
    """Maximum likelihood of the model of Dawid & Skene (1979, Appl. Stat. 28:20) by EM.

    `task`, `rater` and `label` are `[n]`: row k says that a rater gave a task a label; a rater may
    label a task more than once. A rater answers label l to a task of true class k with probability
    `confusion[rater, k, l]`, independently of all else. With `errors="one coin"` a rater has one
    probability of the right label, and all wrong labels are equally probable.

    EM starts at the shares of the votes, which ties the classes to the labels. `smoothing` > 0
    adds that many labels to each cell of each confusion matrix (a Dirichlet prior), which keeps
    cells of raters with few labels away from 0. The maximum is local.

    Raises `DataError` for unequal lengths, no rows or a single label, `ConfigError` for an unknown
    option, `NotConvergedError` when EM does not converge.
    """
    _check(errors, smoothing)
    (tasks, t), (raters, r), (classes, c) = label_codes(task, rater, label)
    labels = _count(t, r, c, (len(tasks), len(raters), len(classes)))
    start = _maximise(labels, _vote_shares(labels), errors, smoothing)
    last, n_steps = accelerated_em(
        lambda flat: _step(labels, flat, errors, smoothing),
        lambda reached, safe: _back_to_shares(labels, reached, safe),
        _pack(start),
        TOLERANCE * max(1.0, len(t) / len(raters)),
    )
    share, confusion = _unpack(labels, last.parameters)
    posterior, log_likelihood = _expect(labels, share, confusion)
    share_errors, confusion_errors = _standard_errors(
        labels, posterior, share, confusion, errors, smoothing
    )
    return DawidSkeneFit(
        tasks=tasks,
        raters=raters,
        classes=classes,
        posterior=posterior,
        prevalence=share,
        confusion=confusion,
        prevalence_errors=share_errors,
        confusion_errors=confusion_errors,
        log_likelihood=log_likelihood,
        n=len(t),
        iterations=n_steps,
        gradient_max=last.gradient_max,
        status="regularised" if smoothing > 0 else "local maximum",
        warnings=_warnings(labels, confusion, confusion_errors, classes, smoothing),
    )


def _count(t: IntArray, r: IntArray, c: IntArray, shape: tuple[int, int, int]) -> _Labels:
    n_tasks, n_raters, n_classes = shape
    cells = sparse.coo_array(
        (np.ones(len(t)), (t, r * n_classes + c)), (n_tasks, n_raters * n_classes)
    )
    counts = cells.tocsr()
    return _Labels(counts, counts.T.tocsr(), shape)


def _vote_shares(labels: _Labels) -> FloatArray:
    _, n_raters, n_classes = labels.shape
    to_class = sparse.csr_array(np.tile(np.eye(n_classes), (n_raters, 1)))
    votes = (labels.counts @ to_class).toarray()
    shares: FloatArray = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _expect(labels: _Labels, share: FloatArray, confusion: FloatArray) -> tuple[FloatArray, float]:
    """The posterior of the true classes `[tasks, classes]`, and the log-likelihood."""
    # A cell that no task supports has probability 0; its logarithm must only be very low.
    by_cell = np.log(np.maximum(confusion, LEAST)).transpose(0, 2, 1).reshape(-1, len(share))
    joint = labels.counts @ by_cell + np.log(np.maximum(share, LEAST))
    # Classes first: NumPy reduces a few long rows much faster than many short ones.
    by_class = np.ascontiguousarray(joint.T)
    peak = by_class.max(axis=0)
    odds = np.exp(by_class - peak)
    total = odds.sum(axis=0)
    return (odds / total).T, float(np.log(total).sum() + peak.sum())


def _maximise(
    labels: _Labels, posterior: FloatArray, errors: Errors, smoothing: float
) -> tuple[FloatArray, FloatArray]:
    """The shares of the classes and the confusion matrices, given the posterior."""
    expected = _expected_counts(labels, posterior) + smoothing
    if errors == "one coin":
        expected = _one_coin(expected)
    row = expected.sum(axis=2, keepdims=True)
    uniform = np.full(expected.shape, 1 / expected.shape[2])
    confusion = np.divide(expected, row, out=uniform, where=row > 0)
    return posterior.mean(axis=0), confusion


def _expected_counts(labels: _Labels, posterior: FloatArray) -> FloatArray:
    """`[raters, true class, label]`."""
    _, n_raters, n_classes = labels.shape
    cells: FloatArray = labels.by_cell @ posterior
    return cells.reshape(n_raters, n_classes, n_classes).transpose(0, 2, 1)


def _one_coin(expected: FloatArray) -> FloatArray:
    """Counts that share right and wrong labels evenly among the classes, `[raters, K, K]`."""
    n_classes = expected.shape[1]
    right = np.einsum("rkk->r", expected)
    wrong = (expected.sum(axis=(1, 2)) - right) / (n_classes - 1)
    shared: FloatArray = wrong[:, None, None] + (right - wrong)[:, None, None] * np.eye(n_classes)
    return shared


def _step(labels: _Labels, flat: FloatArray, errors: Errors, smoothing: float) -> Step:
    share, confusion = _unpack(labels, flat)
    posterior, log_likelihood = _expect(labels, share, confusion)
    after = _maximise(labels, posterior, errors, smoothing)
    if smoothing > 0:
        log_likelihood += smoothing * float(np.log(confusion).sum())
    given = np.diff(labels.by_cell.indptr).reshape(confusion.shape[0], -1).sum(axis=1)
    moved = np.abs(after[1] - confusion).max(axis=(1, 2)) * given
    gradient = max(float(moved.max()), len(posterior) * float(np.abs(after[0] - share).max()))
    return Step(_pack(after), log_likelihood, gradient)


def _pack(parameters: tuple[FloatArray, FloatArray]) -> FloatArray:
    return np.concatenate([part.ravel() for part in parameters])


def _unpack(labels: _Labels, flat: FloatArray) -> tuple[FloatArray, FloatArray]:
    _, n_raters, n_classes = labels.shape
    return flat[:n_classes], flat[n_classes:].reshape(n_raters, n_classes, n_classes)


def _back_to_shares(labels: _Labels, reached: FloatArray, safe: FloatArray) -> FloatArray:
    """Shares that are positive where those of `safe` are, and sum to 1."""
    share, confusion = _unpack(labels, np.maximum(reached, NEAR_ZERO * safe))
    return _pack((share / share.sum(), confusion / confusion.sum(axis=2, keepdims=True)))


def _standard_errors(
    labels: _Labels,
    posterior: FloatArray,
    share: FloatArray,
    confusion: FloatArray,
    errors: Errors,
    smoothing: float,
) -> tuple[FloatArray, FloatArray]:
    """Standard errors `[classes]` and `[raters, classes, classes]`, NaN where they do not exist."""
    n_classes = labels.shape[2]
    missing = np.full(n_classes, np.nan), np.full(confusion.shape, np.nan)
    if not _is_small(labels):
        return missing
    scores, complete = _class_scores(labels, posterior, confusion, smoothing)
    information = observed_information(posterior, scores, complete)
    maps = _free_directions(confusion, errors)
    covariance = covariance_of(maps.T @ information @ maps)
    if covariance is None:
        return missing
    spread = maps @ covariance @ maps.T
    _, of_share = class_shares_and_errors(posterior, spread[-n_classes:, -n_classes:])
    return of_share, _confusion_errors(confusion, spread)


def _is_small(labels: _Labels) -> bool:
    n_tasks, n_raters, n_classes = labels.shape
    parameters = n_raters * n_classes**2
    return parameters <= MAX_DENSE_PARAMETERS and n_tasks * parameters <= MAX_SCORE_ENTRIES


def _class_scores(
    labels: _Labels, posterior: FloatArray, confusion: FloatArray, smoothing: float
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Gradients by the logits of each class's rows, and their complete information.

    A row of pseudo-counts adds its part to the information, not to the scores of tasks.
    """
    n_tasks, n_raters, n_classes = labels.shape
    counts = labels.counts.toarray().reshape(n_tasks, n_raters, n_classes)
    given = counts.sum(axis=2)
    scores, complete = [], []
    for k in range(n_classes):
        row = confusion[:, k]
        score = counts - given[:, :, None] * row
        scores.append(score.reshape(n_tasks, -1))
        weight = posterior[:, k] @ given + smoothing * n_classes
        blocks = weight[:, None, None] * (
            row[:, :, None] * np.eye(n_classes) - row[:, :, None] * row[:, None, :]
        )
        complete.append(_block_diagonal(blocks))
    return scores, complete


def _block_diagonal(blocks: FloatArray) -> FloatArray:
    n, size, _ = blocks.shape
    matrix = np.zeros((n, size, n, size))
    matrix[np.arange(n), :, np.arange(n)] = blocks
    return matrix.reshape(n * size, n * size)


def _free_directions(confusion: FloatArray, errors: Errors) -> FloatArray:
    """Columns: the directions in which the logits may move, `[K raters labels + K, free]`."""
    n_raters, n_classes, _ = confusion.shape
    n_cells = n_raters * n_classes**2
    everything = np.eye(n_cells + n_classes)
    if errors == "confusion":
        return everything
    # The logit of the right label of all classes of a rater moves together.
    coin = np.einsum("rs,kl->kslr", np.eye(n_raters), np.eye(n_classes))
    columns = np.zeros((n_cells + n_classes, n_raters))
    columns[:n_cells] = coin.reshape(n_cells, n_raters)
    return np.hstack([columns, everything[:, n_cells:]])


def _confusion_errors(confusion: FloatArray, spread: FloatArray) -> FloatArray:
    """Delta method from the covariance of the logits, ordered [class, rater, label]."""
    n_raters, n_classes, _ = confusion.shape
    found = np.zeros(confusion.shape)
    for k in range(n_classes):
        for rater in range(n_raters):
            at = slice((k * n_raters + rater) * n_classes, (k * n_raters + rater + 1) * n_classes)
            row = confusion[rater, k]
            jacobian = np.diag(row) - np.outer(row, row)
            variance = np.diag(jacobian @ spread[at, at] @ jacobian)
            found[rater, k] = np.sqrt(np.maximum(variance, 0.0))
    return found


def _warnings(
    labels: _Labels,
    confusion: FloatArray,
    confusion_errors: FloatArray,
    classes: tuple[str, ...],
    smoothing: float,
) -> tuple[str, ...]:
    given = labels.counts.sum(axis=0).reshape(labels.shape[1], labels.shape[2]).sum(axis=1)
    few = int((given < 10).sum())
    diagonal = np.einsum("r,rkl->kl", given, confusion)
    switched = [classes[k] for k, row in enumerate(diagonal) if row.argmax() != k]
    lone = int((np.diff(labels.counts.indptr) < 2).sum())
    remarks = {
        f"smoothed: {smoothing:g} labels added to each cell of each confusion matrix": (
            smoothing > 0
        ),
        f"{few} raters gave fewer than 10 labels: their confusion matrices are guesses; smoothing "
        "> 0 draws them to the middle": few > 0 and smoothing == 0,
        f"class {', '.join(switched)}: raters give another label more often; the classes may have "
        "changed places": bool(switched),
        f"{lone} tasks have a single label, which says little about raters": lone > 0,
        "no standard errors: too many parameters for a dense matrix; resample tasks instead": (
            not _is_small(labels)
        ),
        "no standard errors: the information is not that of a maximum": (
            _is_small(labels) and bool(np.isnan(confusion_errors).any())
        ),
    }
    return tuple(text for text, applies in remarks.items() if applies)


def _check(errors: str, smoothing: float) -> None:
    known = get_args(Errors)
    if errors not in known:
        raise ConfigError(
            f"errors must be one of {', '.join(known)}, got '{errors}'{did_you_mean(errors, known)}"
        )
    if not (np.isfinite(smoothing) and smoothing >= 0):
        raise ConfigError(f"smoothing must be a number of labels, 0 or more, got {smoothing}")
