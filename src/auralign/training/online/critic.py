"""The value head of PPO: what reward is still to come before each frame."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from auralign.errors import ConfigError
from auralign.types import Prompt, Tokens


class Critic(Protocol):
    """Values of the frames of clips, and the module that is trained for it."""

    @property
    def model(self) -> nn.Module: ...

    def values(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        """`[clips, time]`, the time axis as in the policy's log-probabilities."""
        ...


class StatesCritic:
    """A linear layer on the hidden states of a copy of the policy: a trunk of its own.

    The layer begins at 0, so that the first advantages are the rewards and nothing else.
    """

    def __init__(self, policy: Any, head: nn.Linear) -> None:
        self._policy = policy
        self.model = nn.ModuleDict({"trunk": policy.model, "head": head})

    @classmethod
    def of(cls, policy: Any) -> StatesCritic:
        """Raises ConfigError for a policy whose hidden states cannot be asked for."""
        if not hasattr(policy, "states"):
            raise ConfigError(
                f"PPO needs a policy with `states`, the hidden states that predict each frame, and "
                f"{type(policy).__name__} has none: write it, give a critic of your own, or take "
                "'rloo' or 'grpo', which need no value head"
            )
        own = dataclasses.replace(policy, model=copy.deepcopy(policy.model))
        weight = next(own.model.parameters())
        head = nn.Linear(own.width, 1, device=weight.device)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return cls(own, head)

    def values(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        states = self._policy.states(prompts, tokens)
        found: Tensor = self.model["head"](states.float())[..., 0]
        return found
