"""Policy gradients without ratios: the log-probability of each clip, times its advantage.

Notation of all modules of online objectives: l_t the log-probability of a code under the policy,
q_t its ratio to that under the behaviour policy, A the advantage of a clip or A_t of a frame, n the
codes of a clip. Nothing here looks at the behaviour policy: clips have to be fresh, and serve one
update each.
"""

from __future__ import annotations

from torch import Tensor

from auralign.losses.batch import Loss, require
from auralign.losses.online.reductions import clip_mean, clip_sum
from auralign.losses.online.rollouts import RolloutNeed, Rollouts


def reinforce(batch: Rollouts) -> Loss:
    """REINFORCE: what was better than the baseline becomes more likely.

    -sum over t of A l_t

    Use when: you want the plainest policy gradient, with a baseline of your own, or one clip of
    each prompt. The gradient grows with the length of clips.
    Source: Williams 1992, Machine Learning 8:229
    """
    return Loss(clip_sum(_weighted(batch), batch), {})


def rloo(batch: Rollouts) -> Loss:
    """RLOO: REINFORCE in which the other clips of a prompt are the baseline.

    -sum over t of A l_t, A from `leave_one_out`

    Use when: clips are short, and several of each prompt can be sampled: the simplest unbiased
    choice, and the first to try.
    Source: arXiv 2402.14740
    """
    return reinforce(batch)


def best_of_n(batch: Rollouts) -> Loss:
    """Best of n: imitation of the clip of each prompt with the highest reward.

    -1/n sum over t of l_t for the best clip, nothing for the others; the mean over clips is that
    over prompts by the size of a group

    Use when: you need the baseline that everything else here has to beat.
    Source: arXiv 2304.06767 (RAFT)
    """
    return Loss(clip_mean(_weighted(batch), batch), {})


def nash_md(batch: Rollouts) -> Loss:
    """Nash-MD: more of what beats a mixture of the policy and the reference.

    -sum over t of (P(clip beats rivals) - 1/2) l_t, and KL to the reference in the loss

    Clips are the policy's. Where rivals are its own, too (self-play), it settles on the Nash policy
    of the game with KL, if steps are small; where they come from `geometric_mixture`, which is
    steadier, on the best answer to that mixture. With the KL of whole clips (`level="clip"`) the
    gradient is that of the paper; code by code it is TRL's, which does not look ahead.

    Use when: a judge compares two clips, and its tastes need not be transitive.
    Source: arXiv 2312.00886
    """
    return reinforce(batch)


def code_advantages(batch: Rollouts) -> Tensor:
    """Advantages as they fall on codes, `[clips, 1, 1]` or `[clips, 1, time]`; no gradient."""
    advantages = require(batch.advantages, RolloutNeed.ADVANTAGES).detach()
    return advantages[:, None, None] if advantages.ndim == 1 else advantages[:, None, :]


def _weighted(batch: Rollouts) -> Tensor:
    """`[clips, codebook, time]`, -A l_t."""
    return -code_advantages(batch) * batch.token_logps
