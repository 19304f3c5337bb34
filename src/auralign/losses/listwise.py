"""Objectives that learn the order of a list of answers to one prompt.

Reward of an answer in the formulas: r = beta rho, rho = log p_policy - log p_reference summed over
scored codes. Lists stand best first; R is the score of an answer, K the number of answers. One
value per list.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from auralign.errors import DataError
from auralign.losses.batch import Lists, Loss, Need, require
from auralign.losses.objective import Group, entries


def plackett_luce(batch: Lists, *, beta: float = 0.1) -> Loss:
    """DPO on whole rankings: each answer is chosen out of those that are left.

    -sum over k < K of [r_k - log sum over j >= k of exp(r_j)]

    beta   0.1 (DPO's default)

    With K = 2 it is DPO. Every position counts alike, the order among the worst answers too.

    Use when: listeners have ranked all answers of a list, and you have no scores.

    Source: arXiv 2305.18290, appendix A.3.
    """
    rewards = list_rewards(batch, beta)
    rest = torch.logcumsumexp(rewards.flip(-1), -1).flip(-1)
    return with_list_rewards((rest - rewards)[:, :-1].sum(-1), rewards)


def pro(batch: Lists, *, sft_weight: float = 0.05) -> Loss:
    """Preference ranking optimisation: rankings by likelihood alone, sharper where scores differ.

    -sum over k < K of log[exp(h_k / T_kk) / (exp(h_k / T_kk) + sum over i > k of exp(h_i / T_ki))]
    + sft_weight (K - 1)^2 NLL(best),   h and NLL in nats a code,
    T_ki = 1 / (R_k - R_i),   T_kk = min over i > k of T_ki

    sft_weight   0.05 (a review of the paper)

    Scores have to fall strictly along a list, else DataError.

    Use when: you have scores of all answers and no memory for a reference.

    Source: arXiv 2306.17492.
    """
    scores = list_scores(batch)
    if not (scores.diff(dim=-1) < 0).all():
        raise DataError(
            "PRO divides by the differences of scores, and some list holds equal or rising ones: "
            "sort lists best first and leave out ties"
        )
    h = batch.by_list(batch.clips.mean_logp)
    sharpness = scores[:, :, None] - scores[:, None, :]
    # The largest difference to a later answer is the one to the last.
    sharpness = sharpness + torch.diag_embed(sharpness[:, :, -1])
    earlier = torch.ones_like(sharpness, dtype=torch.bool).tril(-1)
    logits = (h[:, None, :] * sharpness).masked_fill(earlier, -math.inf)[:, :-1]
    ranking = (logits.logsumexp(-1) - logits.diagonal(dim1=-2, dim2=-1)).sum(-1)
    values = ranking - sft_weight * (batch.size - 1) ** 2 * h[:, 0]
    return with_list_rewards(values, h)


def lipo_lambda(batch: Lists, *, beta: float = 0.05) -> Loss:
    """LiPO with lambda weights: pairs count by how much their swap would hurt the ranking.

    sum over R_i > R_j of w_ij log(1 + e^(r_j - r_i))
    w_ij = |2^R_i - 2^R_j| |1 / log(1 + t_i) - 1 / log(1 + t_j)|, t = rank by r, 1 for the highest;
    no gradient through w

    beta   0.05 (the paper's)

    Scores are mean probabilities of winning against the rest of the list, 0 to 1
    (`mean_win_probability` makes them of rewards), else DataError. Equal rewards rank in list
    order: equal ranks would weigh nothing, and training would never leave the reference.
    With K = 2 it is DPO times a constant.

    Use when: lists are long, scores say how much better, and the best places matter most.

    Source: arXiv 2402.01878.
    """
    scores = list_scores(batch)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise DataError(
            "LiPO-lambda takes scores from 0 to 1, mean probabilities of winning, "
            f"got {scores.min():g} to {scores.max():g}: see losses.listwise.mean_win_probability"
        )
    rewards = list_rewards(batch, beta)
    return with_list_rewards(lambda_rank(rewards, scores), rewards)


def irpo(batch: Lists, *, beta: float = 1.0) -> Loss:
    """In-context ranking: each item against all others, weighted by relevance and by its place.

    -mean over i of w_i log sigmoid(-log mean over j != i of e^(r_j - r_i))
    w_i = (2^R_i - 1) / log2(1 + p_i), p = `batch.places`, or the order of the list where None

    beta   1 (the authors' README)

    With K = 2, R = (1, 0) and p = (1, 2) it is half of DPO.

    Use when: one answer lists or strings together several items (segments, stems, takes in one
    context), each with a graded relevance.

    Source: arXiv 2504.15477.
    """
    relevance = list_scores(batch)
    rewards = list_rewards(batch, beta)
    places = batch.places
    if places is None:
        places = torch.arange(1, batch.size + 1, device=rewards.device)
    weights = (2**relevance - 1) / torch.log2(1 + places.to(rewards))
    itself = torch.eye(batch.size, dtype=torch.bool, device=rewards.device)
    lead = (rewards[:, None, :] - rewards[:, :, None]).masked_fill(itself, -math.inf)
    others = lead.logsumexp(-1) - math.log(batch.size - 1)
    return with_list_rewards((weights * softplus(others)).mean(-1), rewards)


def dppo(batch: Lists, *, temperature: float = 0.1, conservatism: float = 1.0) -> Loss:
    """Direct preference-based policy optimisation: better answers nearer to the policy.

    mean over pairs i above j of -log[e^(-d_i / T) / (e^(-d_i / T) + e^(-c d_j / T))]
    d = -log-probability, nats a code

    temperature    T, 0.1
    conservatism   c, 1; below 1 pushes the worse answer away less (both the authors' defaults)

    Use when: you have rankings and no memory for a reference, and want a contrast whose pull on
    the worse answers can be turned down.

    Source: NeurIPS 2023, "Direct Preference-based Policy Optimization without Reward Modeling"
    (derived: the source measures d between continuous actions; its form for token models is not
    published).
    """
    distance = -batch.by_list(batch.clips.mean_logp)
    logits = (distance[:, :, None] - conservatism * distance[:, None, :]) / temperature
    above = torch.ones_like(logits, dtype=torch.bool).triu(1)
    n_pairs = batch.size * (batch.size - 1) / 2
    values = torch.where(above, softplus(logits), 0.0).sum((-2, -1)) / n_pairs
    return with_list_rewards(values, -distance)


def copg(batch: Lists, *, beta: float = 0.1) -> Loss:
    """Contrastive policy gradient: differences of log-ratios match differences of scores.

    1 / (K - 1) sum over i < j of (b_i - b_j)^2,   b = R - beta rho

    beta   weight of the divergence, in units of the score for a nat; 0.1 (no default is published)

    The other answers of a list are each answer's baseline. Answers may come from any policy: no
    clipping and no importance weights. The minimum is p_reference exp(R / beta), normalised.
    With K = 2 and R = +-1/4 it is beta^2 times IPO.

    Use when: you have stored takes with scores (error rate, CLAP, mean opinion) and want
    reinforcement learning without sampling.

    Source: arXiv 2406.19185; the constant before the sum is open there.
    """
    scores = list_scores(batch)
    rewards = list_rewards(batch, beta)
    left = scores - rewards
    # The sum of squared differences over all pairs is K times the squared distance to the mean.
    spread = (left - left.mean(-1, keepdim=True)).square().sum(-1) * batch.size
    return with_list_rewards(spread / (batch.size - 1), rewards)


def mean_win_probability(scores: Tensor) -> Tensor:
    """Probability of winning against another answer of the list, drawn at random: 0 to 1.

    scores   `[lists, size]`, Bradley-Terry rewards in logits
    """
    wins = torch.sigmoid(scores[:, :, None] - scores[:, None, :])
    return (wins.sum(-1) - 0.5) / (scores.shape[-1] - 1)


def lambda_rank(rewards: Tensor, scores: Tensor) -> Tensor:
    """LambdaLoss of rewards against scores, both `[lists, size]` -> `[lists]`."""
    by_reward = rewards.detach().argsort(dim=-1, descending=True, stable=True)
    rank = 1 + by_reward.argsort(dim=-1)
    discount = 1 / torch.log1p(rank.to(rewards))
    gain = 2**scores
    weight = _differences(gain).abs() * _differences(discount).abs()
    return torch.where(
        _differences(scores) > 0, weight * softplus(-_differences(rewards)), 0.0
    ).sum((-2, -1))


def list_rewards(batch: Lists, beta: float) -> Tensor:
    """beta times the log-ratio of each answer, `[lists, size]`."""
    return batch.by_list(beta * batch.clips.log_ratio)


def list_scores(batch: Lists) -> Tensor:
    """Scores of the answers in the type of the log-probabilities, `[lists, size]`."""
    return require(batch.scores, Need.SCORES).to(batch.clips.logp)


def with_list_rewards(values: Tensor, rewards: Tensor) -> Loss:
    """The loss with best and worst reward, and the share of pairs in the right order, ties half."""
    rewards = rewards.detach()
    above = torch.ones_like(_differences(rewards), dtype=torch.bool).triu(1)
    right = (1 + _differences(rewards).sign()) / 2
    diagnostics = {
        "best_reward": rewards[:, 0],
        "worst_reward": rewards[:, -1],
        "pair_accuracy": torch.where(above, right, 0.0).sum((-2, -1)) / above[0].sum(),
    }
    return Loss(values, diagnostics)


def _differences(values: Tensor) -> Tensor:
    """`[lists, size]` -> `[lists, i, j]`, value of i less that of j."""
    return values[:, :, None] - values[:, None, :]


ENTRIES = (
    entries("lists", Group.RANKED_LISTS, {Need.REFERENCE}, plackett_luce)
    | entries("lists", Group.RANKED_LISTS, (), dppo)
    | entries("lists", Group.SCORED_LISTS, {Need.REFERENCE, Need.SCORES}, lipo_lambda, copg, irpo)
    | entries("lists", Group.SCORED_LISTS, {Need.SCORES}, pro)
)
