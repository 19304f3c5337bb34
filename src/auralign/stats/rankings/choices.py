"""Choices among options whose worth is linear: the conditional logit (McFadden 1974).

Choices of one form share a template: a matrix that holds each option's features, in coordinates
that are local to the choice. A choice among three items has the identity; ties and best-worst pairs
are further rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse, special

from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.newton import Slopes


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices of one form.

    parameters  int `[choices, local]`: which parameter each local coordinate is
    template    `[options, local]`: log-worth of an option = its row @ the local parameters
    chosen      int `[choices]`, the option
    weight      `[choices]`
    rater       int `[choices]`, -1 for those of a prior
    """

    parameters: IntArray
    template: FloatArray
    chosen: IntArray
    weight: FloatArray
    rater: IntArray


def choice_slopes(parameters: FloatArray, groups: Sequence[Choices]) -> Slopes:
    """Sum over all choices of the log-probability of what was chosen."""
    k = len(parameters)
    log_likelihood, gradient, information = 0.0, np.zeros(k), np.zeros(k * k)
    for group in groups:
        log_p = _log_probabilities(parameters, group)
        score, mean = _scores(log_p, group)
        moments = _flat_products(group.template)
        local = (np.exp(log_p) @ moments).reshape(len(mean), *2 * mean.shape[1:])
        local -= mean[:, :, None] * mean[:, None, :]
        local *= group.weight[:, None, None]
        cells = group.parameters[:, :, None] * k + group.parameters[:, None, :]
        log_likelihood += float(group.weight @ _of_chosen(log_p, group))
        gradient += sum_by(group.parameters.ravel(), score.ravel(), k)
        information += sum_by(cells.ravel(), local.ravel(), k * k)
    return Slopes(log_likelihood, gradient, information.reshape(k, k))


def choice_likelihood(parameters: FloatArray, groups: Sequence[Choices]) -> float:
    """Log-likelihood of the choices that raters made, without a prior's."""
    return sum(
        float((group.weight * (group.rater >= 0)) @ _of_chosen(log_p, group))
        for group in groups
        for log_p in [_log_probabilities(parameters, group)]
    )


def scores_by_rater(
    parameters: FloatArray, groups: Sequence[Choices], n_raters: int
) -> sparse.csr_array:
    """Gradients of each rater's choices, sparse `[parameters, raters]`."""
    total = sparse.csr_array((len(parameters), n_raters))
    for group in groups:
        score, _ = _scores(_log_probabilities(parameters, group), group)
        made = group.rater >= 0
        rater = np.broadcast_to(group.rater[made, None], score[made].shape)
        entries = score[made].ravel(), (group.parameters[made].ravel(), rater.ravel())
        total = total + sparse.coo_array(entries, total.shape).tocsr()
    return total


def advantages(groups: Sequence[Choices], n_parameters: int) -> FloatArray:
    """Features of what was chosen minus those of each option, `[choices * options, parameters]`."""
    tables = []
    for group in groups:
        local = group.template[group.chosen][:, None, :] - group.template
        table = np.zeros((*local.shape[:2], n_parameters))
        rows = np.arange(len(local))[:, None]
        for column in range(local.shape[2]):
            # Item by item, since one item may stand in two columns.
            table[rows[:, 0], :, group.parameters[:, column]] += local[:, :, column]
        tables.append(table.reshape(-1, n_parameters))
    return np.vstack(tables)


def _log_probabilities(parameters: FloatArray, group: Choices) -> FloatArray:
    log_worth = parameters[group.parameters] @ group.template.T
    log_p: FloatArray = special.log_softmax(log_worth, axis=1)
    return log_p


def _of_chosen(log_p: FloatArray, group: Choices) -> FloatArray:
    return np.take_along_axis(log_p, group.chosen[:, None], axis=1)[:, 0]


def _scores(log_p: FloatArray, group: Choices) -> tuple[FloatArray, FloatArray]:
    """The gradient of each choice, and the expected features, both `[choices, local]`."""
    mean = np.exp(log_p) @ group.template
    return group.weight[:, None] * (group.template[group.chosen] - mean), mean


def _flat_products(template: FloatArray) -> FloatArray:
    """The outer product of each row with itself, `[options, local * local]`."""
    products = template[:, :, None] * template[:, None, :]
    return products.reshape(len(template), -1)
