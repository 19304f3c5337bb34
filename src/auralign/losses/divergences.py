"""DPO under another divergence than the reverse Kullback-Leibler one (f-DPO).

-ls(beta [f'(u(w)) - f'(u(l))]), u = e^rho; reverse KL has f'(u) = log u and gives `dpo`. Notation
as in `pairwise`. Constants of f' cancel and are left out. Where f' is exponential in rho, it goes
on as a straight line beyond e^20, because clips of thousands of codes overflow it.
"""

from __future__ import annotations

from torch.nn.functional import logsigmoid

from auralign.losses.batch import Loss, Need, Pairs
from auralign.losses.kernels import capped_expm1, compare, require_between
from auralign.losses.objective import Group, entries


def fdpo_forward_kl(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """f-DPO with the forward Kullback-Leibler divergence, which covers all modes.

    f'(u) = -1 / u = -e^-rho

    beta   0.1 as in `dpo`

    Use when: diversity matters more than the mean reward.
    Source: arXiv 2309.16240, table 1
    """
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    return compare(-capped_expm1(-chosen), -capped_expm1(-rejected), beta)


def fdpo_js(batch: Pairs, *, beta: float = 0.1) -> Loss:
    """f-DPO with the Jensen-Shannon divergence, between both Kullback-Leibler ones.

    f'(u) = log(2 u / (1 + u)) = log 2 + ls(rho); the slope in rho(w) fades as w becomes likely

    beta   0.1 as in `dpo`

    Use when: DPO runs away from the reference on chosen clips, and diversity falls.
    Source: arXiv 2309.16240, table 1
    """
    chosen, rejected = batch.chosen.log_ratio, batch.rejected.log_ratio
    return compare(logsigmoid(chosen), logsigmoid(rejected), beta)


def fdpo_alpha(batch: Pairs, *, beta: float = 0.1, alpha: float = 0.5) -> Loss:
    """f-DPO with an alpha-divergence: from reverse KL near 0 to forward KL near 1.

    f'(u) = (1 - u^-alpha) / alpha

    beta    0.1 as in `dpo`
    alpha   between 0 and 1, the paper's convention (TRL 1 has 1 - alpha); 0.5 is half way

    Use when: you trade reward against diversity by one number.
    Source: arXiv 2309.16240, table 1
    """
    require_between("alpha", alpha, 1e-6, 1)
    chosen, rejected = -alpha * batch.chosen.log_ratio, -alpha * batch.rejected.log_ratio
    return compare(-capped_expm1(chosen) / alpha, -capped_expm1(rejected) / alpha, beta)


ENTRIES = entries("pairs", Group.DIVERSITY, [Need.REFERENCE], fdpo_forward_kl, fdpo_js, fdpo_alpha)
