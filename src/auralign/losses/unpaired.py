"""Objectives over single clips with a thumb up or down; no clip needs a partner.

Reward of a clip in the formulas: r = beta rho, rho = log p_policy - log p_reference summed over
scored codes, s the logistic function. Where an objective compares a clip with the batch around it
(a reference point, a shift, the mean of a class), its values depend on how the batch was split.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from auralign.errors import ConfigError
from auralign.losses.batch import Clips, Loss, Need, Unpaired, require
from auralign.losses.kernels import log_sigmoid_loss
from auralign.losses.objective import Group, entries


def kto(
    batch: Unpaired,
    *,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Loss:
    """Kahneman-Tversky optimisation: the value of a gain or a loss against a reference point.

    desirable:   w_d (1 - s(r - z));   undesirable: w_u (1 - s(z - r))
    z = max(0, mean of r over `batch.mismatched`), an estimate of the KL divergence from the
    reference; no gradient flows through it

    beta                0.1 (the authors' and TRL's default)
    desirable_weight    w_d, and `undesirable_weight` w_u, both 1 (`kto_weights` balances them)

    Use when: you have thumbs, not pairs, and some of them are wrong: the gradient of a clip fades
    at both ends of s, so that a clip that cannot be learnt stops pulling.

    Source: arXiv 2402.01306.
    """
    reward = beta * batch.clips.log_ratio
    point = _reference_point(batch, beta)
    gain = torch.where(batch.desirable, reward - point, point - reward)
    weights = gain.new_tensor([undesirable_weight, desirable_weight])
    weight = weights[batch.desirable.long()]
    return _with_reward(weight * torch.sigmoid(-gain), reward, reference_point=point)


def apo_zero_unpaired(batch: Unpaired, *, beta: float = 0.1) -> Loss:
    """Anchored preference optimisation on thumbs: KTO with its reference point fixed at zero.

    desirable: 1 - s(r);   undesirable: s(r)

    beta   0.1 (TRL's default)

    Use when: as KTO, and clips should become more and less likely than under the reference in
    absolute terms, or a batch is too small to estimate a reference point.

    Source: arXiv 2408.06266 (derived: the two terms of the published sum, one for each clip).
    """
    reward = beta * batch.clips.log_ratio
    return _with_reward(torch.sigmoid(torch.where(batch.desirable, -reward, reward)), reward)


def bco(batch: Unpaired, *, beta: float = 0.1) -> Loss:
    """Binary classifier optimisation: the reward is the logit of a thumb up.

    desirable: -log s(r - d);   undesirable: -w log s(d - r)
    d = `batch.reward_shift`, or where it is None the midpoint of this batch's mean rewards of
    desirable and undesirable clips; w = `batch.density_ratio`, or 1; no gradient through either

    beta   0.1 (TRL's default)

    `RunningShift` keeps d over batches, and `density_ratio` makes w of a classifier of prompts.

    Use when: you have thumbs that mostly mean what they say, and liked and disliked clips may come
    from different prompts.

    Source: arXiv 2404.04656; the weights from its first version.
    """
    reward = beta * batch.clips.log_ratio
    shift = batch.reward_shift
    if shift is None:
        shift = _midpoint(reward, batch.desirable)
    shift = shift.detach().to(reward)
    values = log_sigmoid_loss(torch.where(batch.desirable, reward - shift, shift - reward))
    if batch.density_ratio is not None:
        weight = batch.density_ratio.detach().to(values)
        values = torch.where(batch.desirable, 1.0, weight) * values
    return _with_reward(values, reward, reward_shift=shift)


def pmpo(batch: Unpaired, *, alpha: float = 0.5, beta: float = 0.3) -> Loss:
    """Preference optimisation as probabilistic inference: likes up, dislikes down, KL holds.

    -alpha mean(l of desirable) + (1 - alpha) mean(l of undesirable) + beta KL(reference || policy)
    l = summed log-probability; KL = mean of -rho over clips that the reference has sampled

    alpha   share of the positive feedback, 0.5; 1 learns from likes only, 0 from dislikes only
    beta    weight of the divergence, 0.3 (both as in Dreamer 4); above 0 unless alpha is 1

    The mean of the values is the loss; either class may be missing. The divergence must come from
    the reference's own samples: on the disliked clips it would have the opposite sign of their
    term and, where beta > 1 - alpha, teach them.

    Use when: you have mostly likes or mostly dislikes, or want to weigh the two by hand.

    Source: arXiv 2410.04166, eq. 10.
    """
    return _pmpo(batch, alpha=alpha, beta=beta)


def pmpo_positive(batch: Unpaired) -> Loss:
    """PMPO from likes only: maximum likelihood of the desirable clips.

    -mean(l of desirable); the mean of the values is the loss, undesirable clips have value 0

    Use when: you have likes only, or want the baseline that every other objective has to beat.

    Source: arXiv 2410.04166, eq. 10 with alpha = 1 and no divergence.
    """
    return _pmpo(batch, alpha=1.0, beta=0.0)


def pmpo_negative(batch: Unpaired, *, beta: float = 0.3) -> Loss:
    """PMPO from dislikes only: dislikes down, the divergence from the reference holds the rest.

    mean(l of undesirable) + beta KL(reference || policy), as in `pmpo`

    beta   weight of the divergence, 0.3; raise it before the dislikes' likelihood runs away

    Use when: all that you know is what must not be generated.

    Source: arXiv 2410.04166, eq. 10 with alpha = 0.
    """
    return _pmpo(batch, alpha=0.0, beta=beta)


def rpo_unpaired(batch: Unpaired, *, beta: float = 0.1, temperature: float = 0.5) -> Loss:
    """Relative preference optimisation on thumbs: each liked clip against the disliked ones.

    -mean_j log sigmoid(beta w_ij [rho(liked i) - rho(disliked j)])
    w_ij = softmax over j of (cos(e_i, e_j) - 1) / tau, e the embedding of a clip's prompt

    beta          0.1
    temperature   tau, 0.5 (both as in the authors' configuration)

    One value per liked clip. Rows of w sum to 1, so that M dislikes of like prompts shrink beta to
    beta / M. A batch of one kind has nothing to contrast: its clips have value and gradient 0.

    Use when: you have thumbs on many prompts that are alike (genre, speaker, tempo).

    Source: arXiv 2402.10958.
    """
    e = normalize(require(batch.prompt_embedding, Need.EMBEDDING), dim=-1)
    up, rho = batch.desirable, batch.clips.log_ratio
    if not up.any() or up.all():
        return Loss(0 * rho, {})
    weights = torch.softmax((e[up] @ e[~up].T - 1) / temperature, dim=1)
    gaps = rho[up][:, None] - rho[~up][None]
    return _with_reward(log_sigmoid_loss(beta * weights * gaps).mean(1), beta * rho[up])


def kto_weights(n_desirable: int, n_undesirable: int, *, ratio: float = 1.0) -> tuple[float, float]:
    """KTO's weights of desirable and undesirable clips, the larger class having weight 1.

    ratio   (w_d n_desirable) / (w_u n_undesirable), 1 to 4/3 (arXiv 2402.01306)

    Raises ConfigError for a ratio outside, or a class without clips.
    """
    if not 1 <= ratio <= 4 / 3:
        raise ConfigError(f"expected ratio from 1 to 4/3, got {ratio:g}")
    if min(n_desirable, n_undesirable) < 1:
        raise ConfigError(
            "balanced weights need clips of both classes, "
            f"got {n_desirable} desirable and {n_undesirable} undesirable"
        )
    desirable = ratio * n_undesirable / n_desirable
    return (desirable, 1.0) if desirable >= 1 else (1.0, 1 / desirable)


def mismatched_rows(prompt: Tensor) -> Tensor:
    """For each row of a batch, the row whose clip stands for it in KTO's reference point.

    prompt   int `[clips]`, which prompt a clip belongs to

    A permutation; no clip comes back to its own prompt unless one prompt has more than half of the
    rows. Raises ConfigError for fewer than two rows.
    """
    n = len(prompt)
    if n < 2:
        raise ConfigError(f"KTO needs at least 2 clips in a batch for its reference point, got {n}")
    # Sorted by prompt, a turn by the size of the largest group leads out of every group.
    _, group_sizes = prompt.unique(return_counts=True)
    order = prompt.argsort(stable=True)
    return torch.empty_like(order).scatter(0, order, order.roll(int(group_sizes.max()) % n or 1))


def density_ratio(p_desirable: Tensor, *, low: float = 0.5, high: float = 10.0) -> Tensor:
    """BCO's weight of an undesirable clip: the odds that its prompt is one of a desirable clip.

    p_desirable   `[clips]`, by a classifier of prompts
    low, high     limits of the weight, 0.5 and 10 (TRL's defaults)

    Source: arXiv 2404.04656, first version.
    """
    return (p_desirable / (1 - p_desirable)).clamp(low, high)


@dataclass(frozen=True, slots=True)
class RunningShift:
    """BCO's shift over all batches so far: the midpoint of both classes' mean rewards.

    totals, counts   sums and numbers of rewards, of undesirable and of desirable clips
    """

    totals: tuple[float, float] = (0.0, 0.0)
    counts: tuple[int, int] = (0, 0)

    def updated(self, batch: Unpaired, *, beta: float) -> RunningShift:
        """With the rewards of `batch` included."""
        reward = beta * batch.clips.log_ratio.detach().cpu().double()
        of_class = [reward[batch.desirable.cpu() == up] for up in (False, True)]
        totals = [t + float(r.sum()) for t, r in zip(self.totals, of_class, strict=True)]
        counts = [n + len(r) for n, r in zip(self.counts, of_class, strict=True)]
        return RunningShift((totals[0], totals[1]), (counts[0], counts[1]))

    @property
    def value(self) -> Tensor:
        """Scalar; 0 before the first batch. A class without clips is left out."""
        means = [t / n for t, n in zip(self.totals, self.counts, strict=True) if n]
        return torch.tensor(sum(means) / max(1, len(means)), dtype=torch.float64)


def _with_reward(values: Tensor, reward: Tensor, **of_batch: Tensor) -> Loss:
    found = {name: value.detach().expand_as(reward) for name, value in of_batch.items()}
    return Loss(values, {"reward": reward.detach(), **found})


def _reference_point(batch: Unpaired, beta: float) -> Tensor:
    mismatched = require(batch.mismatched, Need.MISMATCHED)
    if len(mismatched.logp) == 0:
        raise ConfigError("KTO needs at least one mismatched clip for its reference point, got 0")
    return (beta * mismatched.log_ratio.detach()).mean().clamp(min=0)


def _midpoint(reward: Tensor, desirable: Tensor) -> Tensor:
    """Of the mean rewards of both classes; a class without clips is left out."""
    return torch.stack([reward[m].mean() for m in (desirable, ~desirable) if m.any()]).mean()


def _pmpo(batch: Unpaired, *, alpha: float, beta: float) -> Loss:
    if not 0 <= alpha <= 1:
        raise ConfigError(f"expected alpha in [0, 1], got {alpha:g}")
    if beta < 0 or (beta == 0 and alpha < 1):
        raise ConfigError(
            f"expected beta above 0 wherever alpha is below 1, got {beta:g}: "
            "nothing else bounds the likelihood of disliked clips from below"
        )
    up, logp = batch.desirable, batch.clips.logp
    # Each clip counts for all clips of its class, so that the plain mean is the sum of two means.
    n_up, n_down = (mask.sum().clamp(min=1).to(logp) for mask in (up, ~up))
    values = len(logp) * torch.where(up, -alpha / n_up, (1 - alpha) / n_down) * logp
    if beta == 0:
        return Loss(values, {"logp": logp.detach()})
    kl = -_from_reference(batch).log_ratio.mean()
    return Loss(values + beta * kl, {"logp": logp.detach(), "kl": kl.detach().expand_as(logp)})


def _from_reference(batch: Unpaired) -> Clips:
    return require(batch.from_reference, Need.FROM_REFERENCE)


_SAMPLED = [Need.REFERENCE, Need.FROM_REFERENCE]
_EMBEDDED = [Need.REFERENCE, Need.EMBEDDING]

ENTRIES = {
    **entries("unpaired", Group.UNPAIRED, [Need.REFERENCE, Need.MISMATCHED], kto, scope="batch"),
    **entries("unpaired", Group.UNPAIRED, [Need.REFERENCE], bco, scope="batch"),
    **entries("unpaired", Group.UNPAIRED, [Need.REFERENCE], apo_zero_unpaired),
    **entries("unpaired", Group.UNPAIRED, _EMBEDDED, rpo_unpaired, scope="mixed"),
    **entries("unpaired", Group.UNPAIRED, _SAMPLED, pmpo, pmpo_negative, scope="batch"),
    **entries("unpaired", Group.UNPAIRED, (), pmpo_positive, scope="batch"),
}
