"""Objectives that match the probabilities of a list's answers to labels made of scores.

Reward of an answer in the formulas: r = beta rho, rho = log p_policy - log p_reference summed over
scored codes; q = softmax(R / t) over the answers of a list. Where the labels are shares of votes,
give their logarithms as scores and leave t at 1: then q is the shares. One value per list.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from auralign.errors import ConfigError, DataError
from auralign.losses.batch import Lists, Loss, Need
from auralign.losses.listwise import list_rewards, list_scores, with_list_rewards
from auralign.losses.objective import Group, entries


def info_nca(batch: Lists, *, beta: float = 0.01, temperature: float = 1.0) -> Loss:
    """InfoNCA: cross-entropy between labels and the policy's choice among the answers.

    -sum over k of q_k log softmax_k(r)

    beta          0.01 (the authors' configuration)
    temperature   t of the labels, 1; near 0 labels are one-hot (the authors' code: 1e-4)

    With K = 2 and one-hot labels it is DPO. Only differences of rewards count, so that the
    likelihood of the best answer may fall with the others.

    Use when: you have scores or vote shares of all answers and trust their differences.

    Source: arXiv 2402.05369.
    """
    rewards = list_rewards(batch, beta)
    values = -(_log_labels(batch, temperature).exp() * rewards.log_softmax(-1)).sum(-1)
    return with_list_rewards(values, rewards)


def nca(batch: Lists, *, beta: float = 0.01, temperature: float = 1.0) -> Loss:
    """NCA: each answer is told from noise by itself, so that good ones stay likely.

    -sum over k of [q_k log sigmoid(r_k) + 1/K log sigmoid(-r_k)]

    beta          0.01 (the authors' configuration)
    temperature   t of the labels, 1; near 0 labels are one-hot (the authors' code: 1e-4)

    Use when: as InfoNCA, and the likelihood of the best answers must not fall.

    Source: arXiv 2402.05369.
    """
    rewards = list_rewards(batch, beta)
    data = _log_labels(batch, temperature).exp() * logsigmoid(rewards)
    noise = logsigmoid(-rewards) / batch.size
    return with_list_rewards(-(data + noise).sum(-1), rewards)


def exo_list(batch: Lists, *, beta: float = 0.1, temperature: float = 0.1) -> Loss:
    """EXO on lists: the divergence of reinforcement learning, from the policy's side.

    sum over k of p_k (log p_k - log q_k),   p = softmax(r)

    beta          beta_pi, 0.1
    temperature   beta_r, t of the labels, 0.1 (both as in the authors' IMDb script)

    InfoNCA takes the divergence the other way round and covers all good answers; EXO settles on
    some of them. Raises DataError for a label of 0: the divergence is infinite there.

    Use when: scores are a reward model's, and one good mode is better than an average of several.

    Source: arXiv 2402.00856.
    """
    rewards = list_rewards(batch, beta)
    log_p, log_q = rewards.log_softmax(-1), _log_labels(batch, temperature)
    if not log_q.isfinite().all():
        raise DataError(
            "EXO needs a label above 0 for every answer, and some score is infinite or NaN: "
            "smooth shares of votes, for example by half a vote for each answer"
        )
    values = (log_p.exp() * (log_p - log_q)).sum(-1)
    return with_list_rewards(values, rewards)


def _log_labels(batch: Lists, temperature: float) -> Tensor:
    if temperature <= 0:
        raise ConfigError(f"expected temperature above 0, got {temperature:g}")
    return torch.log_softmax(list_scores(batch) / temperature, -1)


ENTRIES = entries(
    "lists", Group.SCORED_LISTS, {Need.REFERENCE, Need.SCORES}, info_nca, nca, exo_list
)
