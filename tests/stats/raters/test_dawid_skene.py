"""Dawid-Skene against its published example, slow EM, and derivatives by finite differences."""

import numpy as np
import pytest
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.stats.raters import dawid_skene
from auralign.stats.raters.dawid_skene import fit_dawid_skene

# Dawid & Skene 1979, table 1: 45 patients; observer 1 three times, then observers 2 to 5.
ANAESTHETISTS = """\
111-1111 333-4334 112-2122 222-3121 222-3222 222-3322 122-2111 333-3433 222-2223 232-2223 444-4444
222-3343 111-1111 222-3212 121-1111 111-2111 111-1111 111-1111 222-2221 222-1322 222-2222 222-2221
222-3222 221-2222 111-1111 111-1111 232-2222 111-1111 111-1111 112-1121 111-1111 333-3233 111-1111
222-2222 222-3232 433-4343 221-2232 232-3233 333-3432 111-1111 111-1111 121-2111 232-2222 121-1111
222-2222"""
OBSERVERS = "1112345"

Rows = tuple[list[int], list[str], list[str]]


@pytest.fixture(scope="module")
def anaesthetists() -> Rows:
    rows = [
        (patient, observer, label)
        for patient, answers in enumerate(ANAESTHETISTS.split(), start=1)
        for observer, label in zip(OBSERVERS, answers.replace("-", ""), strict=True)
    ]
    patients, observers, labels = (list(column) for column in zip(*rows, strict=True))
    return patients, observers, labels


def guesses(
    rng: np.random.Generator, accuracy: NDArray[np.float64], n_tasks: int, n_classes: int
) -> tuple[NDArray[np.int64], ...]:
    """Truth `[tasks]`, and rows of task, rater, label: each rater labels each task."""
    n_raters = len(accuracy)
    truth = rng.integers(0, n_classes, n_tasks)
    task, rater = (a.ravel() for a in np.mgrid[:n_tasks, :n_raters])
    right = rng.random(task.size) < accuracy[rater]
    wrong = (truth[task] + rng.integers(1, n_classes, task.size)) % n_classes
    return truth, task, rater, np.where(right, truth[task], wrong)


def test_the_published_example_is_reproduced(anaesthetists: Rows) -> None:
    fit = fit_dawid_skene(*anaesthetists)
    np.testing.assert_allclose(fit.prevalence, [0.3996, 0.4220, 0.1118, 0.0667], atol=5e-5)
    assert fit.log_likelihood == pytest.approx(-192.890881, abs=1e-5)
    first_observer = [
        [0.8895, 0.1105, 0, 0],
        [0.0706, 0.8764, 0.0530, 0],
        [0, 0.3388, 0.6612, 0],
        [0, 0, 0.5556, 0.4444],
    ]
    np.testing.assert_allclose(fit.confusion[0], first_observer, atol=5e-5)
    label = dict(zip(fit.tasks, fit.label, strict=True))
    assert [label[p] for p in ("2", "11", "36", "3")] == ["4", "4", "4", "2"]
    certainty = {task: p.max() for task, p in zip(fit.tasks, fit.posterior, strict=True)}
    unsure = {task: round(p, 3) for task, p in certainty.items() if p < 0.99}
    assert unsure == {"7": 0.981, "35": 0.948, "38": 0.979}
    assert fit.warnings == ()


def test_the_likelihood_is_the_sum_over_classes_written_out(anaesthetists: Rows) -> None:
    fit = fit_dawid_skene(*anaesthetists)
    total = 0.0
    for task in fit.tasks:
        joint = fit.prevalence.copy()
        for t, r, label in zip(*anaesthetists, strict=True):
            if str(t) == task:
                joint *= fit.confusion[fit.raters.index(r), :, fit.classes.index(label)]
        total += np.log(joint.sum())
    assert fit.log_likelihood == pytest.approx(total, rel=1e-10)


def test_plain_em_ends_at_the_same_maximum(anaesthetists: Rows) -> None:
    task, rater, label = (np.unique(a, return_inverse=True)[1] for a in anaesthetists)
    counts = np.zeros((45, 5, 4))
    np.add.at(counts, (task, rater, label), 1)
    posterior = counts.sum(axis=1) / 7
    for _ in range(300):
        share = posterior.mean(axis=0)
        confusion = np.einsum("tk,trl->rkl", posterior, counts)
        confusion /= confusion.sum(axis=2, keepdims=True)
        joint = share * np.prod(confusion[None] ** counts[:, :, None], axis=(1, 3))
        posterior = joint / joint.sum(axis=1, keepdims=True)
    fit = fit_dawid_skene(*anaesthetists)
    order = np.argsort(np.array(fit.tasks, dtype=int))
    np.testing.assert_allclose(fit.posterior[order], posterior, atol=1e-4)
    np.testing.assert_allclose(fit.confusion, confusion, atol=1e-4)


def test_standard_errors_are_those_of_the_curvature_by_finite_differences() -> None:
    rng = np.random.default_rng(1)
    _, task, rater, label = guesses(rng, np.array([0.85, 0.75, 0.8]), 400, 2)
    fit = fit_dawid_skene(task, rater, label)
    labels = label.reshape(400, 3)

    def log_likelihood(logits: NDArray[np.float64]) -> float:
        p = 1 / (1 + np.exp(-logits))  # share of class 1, then P(label 1 | class) of each rater
        by_class = p[1:].reshape(3, 2).T[:, None]
        joint = np.where(labels == 1, by_class, 1 - by_class).prod(axis=2)
        return float(np.log(p[0] * joint[1] + (1 - p[0]) * joint[0]).sum())

    p = np.concatenate([fit.prevalence[1:], fit.confusion[:, :, 1].ravel()])
    at, h, identity = np.log(p / (1 - p)), 1e-4, np.eye(7)
    curvature = np.array(
        [
            [
                sum(
                    s * u * log_likelihood(at + h * (s * identity[i] + u * identity[j]))
                    for s in (1, -1)
                    for u in (1, -1)
                )
                / (4 * h * h)
                for j in range(7)
            ]
            for i in range(7)
        ]
    )
    expected = np.sqrt(np.diag(np.linalg.inv(-curvature))) * p * (1 - p)
    found = np.concatenate([fit.prevalence_errors[1:], fit.confusion_errors[:, :, 1].ravel()])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_one_coin_recovers_the_accuracy_of_each_rater_within_its_errors() -> None:
    rng = np.random.default_rng(2)
    accuracy = rng.uniform(0.45, 0.95, 12)
    truth, task, rater, label = guesses(rng, accuracy, 600, 3)
    fit = fit_dawid_skene(task, rater, label, errors="one coin")
    standardised = (fit.accuracy - accuracy) / fit.confusion_errors[:, 0, 0]
    assert np.abs(standardised).max() < 3.5
    assert 0.5 < standardised.std() < 1.6
    most_probable = fit.posterior.argmax(axis=1)
    votes = np.array([np.bincount(row, minlength=3) for row in label.reshape(600, 12)])
    assert (most_probable == truth).mean() > (votes.argmax(axis=1) == truth).mean()
    off = fit.confusion[0][~np.eye(3, dtype=bool)]
    assert np.ptp(off) < 1e-12


def test_the_answer_does_not_depend_on_the_order_of_rows(anaesthetists: Rows) -> None:
    shuffled = np.random.default_rng(0).permutation(len(anaesthetists[0]))
    columns = [[column[k] for k in shuffled] for column in anaesthetists]
    one, other = fit_dawid_skene(*anaesthetists), fit_dawid_skene(*columns)
    np.testing.assert_allclose(one.confusion, other.confusion, atol=1e-12)


def test_smoothing_keeps_every_cell_above_zero_and_is_announced(anaesthetists: Rows) -> None:
    fit = fit_dawid_skene(*anaesthetists, smoothing=0.5)
    assert fit.confusion.min() > 0
    assert fit.status == "regularised"
    assert "smoothed: 0.5" in fit.warnings[0]


def test_raters_with_few_labels_are_pointed_out() -> None:
    fit = fit_dawid_skene([1, 1, 2, 2, 3], list("abaab"), list("xyxyx"))
    assert any("2 raters gave fewer than 10 labels" in w for w in fit.warnings)
    assert any("1 tasks have a single label" in w for w in fit.warnings)


def test_large_models_say_that_they_have_no_standard_errors(
    anaesthetists: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dawid_skene, "MAX_DENSE_PARAMETERS", 10)
    fit = fit_dawid_skene(*anaesthetists)
    assert np.isnan(fit.confusion_errors).all()
    assert "too many parameters" in fit.warnings[0]


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="got 2 tasks, 1 raters and 2 labels"):
        fit_dawid_skene([1, 2], ["a"], ["x", "y"])
    with pytest.raises(DataError, match="at least 2 classes, got 0 labels"):
        fit_dawid_skene([], [], [])
    with pytest.raises(DataError, match="2 labels that are all equal"):
        fit_dawid_skene([1, 2], ["a", "b"], ["x", "x"])
    with pytest.raises(ConfigError, match="did you mean 'one coin'"):
        fit_dawid_skene([1, 2], ["a", "b"], ["x", "y"], errors="one coi")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="smoothing must be"):
        fit_dawid_skene([1, 2], ["a", "b"], ["x", "y"], smoothing=-1)
