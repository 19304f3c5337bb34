"""All online objectives by name: the loss, the advantages, the normaliser and the KL of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from auralign.losses.auxiliary import selm, xpo
from auralign.losses.batch import Loss, Need
from auralign.losses.online import advantages as a
from auralign.losses.online import clipped, policy_gradient, preferences, returns
from auralign.losses.online.objective import KL, OnlineGroup, OnlineObjective
from auralign.losses.online.reductions import (
    Reduction,
    clip_mean,
    clip_sum,
    code_mean,
    constant_length,
)
from auralign.losses.online.rollouts import Advantages, RolloutNeed


def _gradient(
    function: Callable[..., Loss],
    advantages: Callable[..., Advantages],
    group: OnlineGroup,
    reduction: Reduction,
    kl: KL | None = None,
    further: Iterable[RolloutNeed] = (),
) -> OnlineObjective:
    """A policy gradient."""
    needs: frozenset[Need | RolloutNeed] = frozenset({RolloutNeed.ADVANTAGES, *further})
    return OnlineObjective(function, "rollouts", group, needs, "row", advantages, reduction, kl)


_K1_REWARD = KL(0.05, "reward", "k1")
_VALUES = (RolloutNeed.VALUES, RolloutNeed.RETURNS)
_GROUPS: frozenset[Need | RolloutNeed] = frozenset(
    {Need.REFERENCE, RolloutNeed.REWARDS, RolloutNeed.GROUPS}
)

_POLICY_GRADIENTS = [
    _gradient(
        policy_gradient.rloo, a.leave_one_out, OnlineGroup.SEVERAL_CLIPS, clip_sum, _K1_REWARD
    ),
    _gradient(policy_gradient.best_of_n, a.best_of_group, OnlineGroup.SEVERAL_CLIPS, clip_mean),
    _gradient(
        clipped.grpo,
        a.group_z_scores,
        OnlineGroup.SEVERAL_CLIPS,
        clip_mean,
        KL(0.04, "none", "k3"),
    ),
    _gradient(
        clipped.dr_grpo,
        a.group_centred,
        OnlineGroup.LONG_CLIPS,
        constant_length,
        further=[RolloutNeed.MAX_CODES],
    ),
    _gradient(clipped.dapo, a.group_z_scores, OnlineGroup.LONG_CLIPS, code_mean),
    _gradient(clipped.gspo, a.group_z_scores, OnlineGroup.LONG_CLIPS, clip_mean),
    _gradient(clipped.cispo, a.group_z_scores, OnlineGroup.LONG_CLIPS, code_mean),
    _gradient(
        policy_gradient.reinforce, a.less_baseline, OnlineGroup.SINGLE_CLIPS, clip_sum, _K1_REWARD
    ),
    _gradient(
        clipped.reinforce_pp,
        returns.whitened_returns,
        OnlineGroup.SINGLE_CLIPS,
        code_mean,
        KL(0.01, "reward", "k1"),
    ),
    _gradient(
        clipped.ppo,
        returns.gae,
        OnlineGroup.SINGLE_CLIPS,
        code_mean,
        _K1_REWARD,
        further=_VALUES,
    ),
    _gradient(clipped.gdpo, a.decoupled_z_scores, OnlineGroup.SEVERAL_REWARDS, clip_mean),
    _gradient(
        policy_gradient.nash_md,
        a.win_margin,
        OnlineGroup.CYCLES,
        clip_sum,
        KL(0.1, "none", "k2", "clip"),
    ),
]

_PREFERENCES = [
    OnlineObjective(preferences.online_dpo, "rollouts", OnlineGroup.PAIRS, _GROUPS, "mixed"),
    OnlineObjective(preferences.gepo, "rollouts", OnlineGroup.PAIRS, _GROUPS, "mixed"),
    OnlineObjective(
        preferences.ipo_md,
        "pairs",
        OnlineGroup.CYCLES,
        frozenset({Need.REFERENCE, Need.P_CHOSEN}),
    ),
    OnlineObjective(
        preferences.general_preference,
        "rollouts",
        OnlineGroup.CYCLES,
        frozenset({Need.REFERENCE, RolloutNeed.REWARDS}),
    ),
    OnlineObjective(
        preferences.hypo_kl,
        "pairs",
        OnlineGroup.STORED_PAIRS,
        frozenset({Need.REFERENCE, Need.OWN}),
    ),
    OnlineObjective(selm, "pairs", OnlineGroup.EXPLORATION, frozenset({Need.REFERENCE, Need.OWN})),
    OnlineObjective(
        xpo, "pairs", OnlineGroup.EXPLORATION, frozenset({Need.REFERENCE, Need.FROM_REFERENCE})
    ),
]

ONLINE_OBJECTIVES: dict[str, OnlineObjective] = {
    entry.function.__name__: entry for entry in (*_POLICY_GRADIENTS, *_PREFERENCES)
}
