"""What to look at beside a loss: is the order learnt, what did it cost, how far did it drift.

Nothing here is minimised. c = log p_reference(rejected) - log p_reference(chosen) is the error of
the reference, positive where it prefers the rejected clip; a = the share of raters that prefer the
chosen one. All log-probabilities are sums over scored codes, in nats, unless said otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from auralign.losses.batch import Clips, Need, Pairs, require
from auralign.losses.kernels import capped_expm1
from auralign.losses.reduce import sum_scored


def share_above(first: Tensor, second: Tensor) -> Tensor:
    """1 where the first is larger, 1/2 where they are equal, else 0."""
    return (1 + (first - second).detach().sign()) / 2


def ranking_accuracy(batch: Pairs) -> Tensor:
    """1 where the policy finds the chosen clip likelier than the rejected one, `[pairs]`.

    A tie counts 1/2, as in every accuracy here: arXiv 2405.19534, where ranking accuracy is
    defined, counts it as right, and a policy that finds all clips alike would then rank perfectly.
    Not the accuracy of rewards, which asks whether the policy moved the right way from the
    reference.
    """
    return share_above(batch.chosen.logp, batch.rejected.logp)


def reference_error(batch: Pairs, *, per_code: bool = False) -> Tensor:
    """c, `[pairs]`; with `per_code` of mean log-probabilities, nats a code."""
    return _reference_logp(batch.rejected, per_code) - _reference_logp(batch.chosen, per_code)


def idealised_log_ratio(reference_error: Tensor, p_chosen: Tensor, *, beta: float) -> Tensor:
    """log(p(chosen) / p(rejected)) of the policy that minimises DPO exactly: -c + logit(a) / beta.

    reference_error   c, and `p_chosen` a, `[pairs]` each; a is kept 0.001 from 0 and 1

    arXiv 2405.19534.
    """
    return -reference_error + torch.logit(p_chosen, eps=1e-3) / beta


def idealised_ranking_accuracy(reference_error: Tensor, p_chosen: Tensor, *, beta: float) -> Tensor:
    """1 where even the exact minimiser of DPO would rank the pair right, `[pairs]`; a tie 1/2.

    Its mean is the ceiling of `ranking_accuracy` at this beta and with this reference.
    """
    ratio = idealised_log_ratio(reference_error, p_chosen, beta=beta)
    return share_above(ratio, torch.zeros_like(ratio))


def critical_beta(reference_error: Tensor, p_chosen: Tensor) -> Tensor:
    """The beta from which on the exact minimiser of DPO ranks the pair wrong: logit(a) / c.

    Infinite where the reference is right already (c <= 0); a is kept 0.001 from 0 and 1.
    """
    critical = torch.logit(p_chosen, eps=1e-3) / reference_error
    return torch.where(reference_error > 0, critical, torch.inf)


def difficulty_threshold(reference_error: Tensor, *, beta: float) -> Tensor:
    """The DPO loss that a pair has to reach to be ranked right: -log sigmoid(beta c).

    Far below log 2, DPO can lower the loss for long without flipping the pair.
    arXiv 2405.19534.
    """
    return softplus(-beta * reference_error)


def flipped(batch: Pairs) -> Tensor:
    """1 where the reference ranked the pair wrong and the policy right, a tie 1/2, `[pairs]`.

    Divide the sum by the number of pairs with c > 0 for the share of wrong pairs that were flipped.
    """
    return ranking_accuracy(batch) * (reference_error(batch) > 0)


def chosen_logp_drop(batch: Pairs) -> Tensor:
    """By how much the chosen clips have become less likely than under the reference, `[pairs]`.

    Positive and growing while the margin grows: likelihood displacement.
    """
    return -batch.chosen.log_ratio


def k1(token_log_ratios: Tensor, scored: Tensor) -> Tensor:
    """KL(policy || reference) of a clip that the policy has sampled: sum of u, `[clips]`.

    token_log_ratios   u = log p_policy - log p_reference, float `[clips, codebook, time]`
    scored             bool `[clips, codebook, time]`

    Unbiased, may be negative. In a reward it is the right one; its gradient as a loss has mean 0.
    Schulman 2020, "Approximating KL divergence", as are `k2` and `k3`.
    """
    return sum_scored(token_log_ratios, scored)


def k2(token_log_ratios: Tensor, scored: Tensor) -> Tensor:
    """As `k1`, sum of u^2 / 2: biased, never negative; its gradient is that of the divergence."""
    return sum_scored(_at_scored(token_log_ratios, scored).square() / 2, scored)


def k3(token_log_ratios: Tensor, scored: Tensor) -> Tensor:
    """As `k1`, sum of e^-u - 1 + u: unbiased, never negative.

    As a loss its gradient is that of KL(reference || policy). Below u = -20 the exponential goes on
    as a straight line, so that neither value nor gradient overflows or vanishes.
    """
    u = _at_scored(token_log_ratios, scored)
    return sum_scored(capped_expm1(-u) + u, scored)


def entropy(logits: Tensor) -> Tensor:
    """Entropy of the distribution of each code, nats: `[..., codes]` -> `[...]`.

    A code with logit -inf is impossible and adds nothing.
    """
    logps = logits.log_softmax(-1)
    return -_expectation(logps, logps)


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(policy || reference) of the distribution of each code, nats: `[..., codes]` -> `[...]`.

    Infinite where the policy can say what the reference cannot.
    """
    logps = logits.log_softmax(-1)
    return _expectation(logps, logps - reference_logits.log_softmax(-1))


def _at_scored(token_log_ratios: Tensor, scored: Tensor) -> Tensor:
    """With 0 where not scored, so that no NaN from there enters a gradient by a later product."""
    return torch.where(scored, token_log_ratios, 0.0)


def _expectation(logps: Tensor, values: Tensor) -> Tensor:
    """Sum of p times value; where p is 0 nothing, whatever the value."""
    possible = logps > -torch.inf
    return torch.where(possible, logps.exp() * torch.where(possible, values, 0.0), 0.0).sum(-1)


def _reference_logp(clips: Clips, per_code: bool) -> Tensor:
    logp = require(clips.reference_logp, Need.REFERENCE)
    return logp / clips.n_codes if per_code else logp
