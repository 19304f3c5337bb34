"""The entry of an online objective in the table: a loss, its advantages and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from auralign.errors import ConfigError
from auralign.losses.batch import Need
from auralign.losses.objective import Objective
from auralign.losses.online.kl import GRADIENTS, Estimator, Gradient, Level, Place
from auralign.losses.online.reductions import Reduction
from auralign.losses.online.rollouts import Advantages, RolloutNeed


class OnlineGroup(StrEnum):
    """What can be sampled and who judges it: the headings of "which one should I use?"."""

    SEVERAL_CLIPS = "A reward, and several clips of each prompt"
    LONG_CLIPS = "A reward, and clips that are long or differ in length"
    SINGLE_CLIPS = "A reward, and one clip of each prompt"
    SEVERAL_REWARDS = "Several rewards on different scales"
    PAIRS = "A judge or a reward that picks the better of two fresh clips"
    CYCLES = "A judge of pairs whose tastes need not be transitive"
    STORED_PAIRS = "Stored pairs, and fresh clips without labels"
    EXPLORATION = "A judge of pairs, and the policy has to explore"


@dataclass(frozen=True)
class KL:
    """How a method holds the policy to the reference, as published.

    weight             of the KL; in the loss, of its reduction (`kl.in_loss`)
    place, estimator   as in `kl`; ConfigError for a combination whose expected gradient is 0
    level              of what stands in the loss
    """

    weight: float
    place: Place
    estimator: Estimator
    level: Level = "code"

    def __post_init__(self) -> None:
        if self.gradient is Gradient.NOTHING:
            raise ConfigError(
                f"{self.estimator} in the loss with '{self.place}' holds nothing, as its gradient "
                "is 0 on average: take k2 with 'none', or k1 with 'reward' or 'ratio'"
            )

    @property
    def gradient(self) -> Gradient:
        """What it pulls at."""
        return GRADIENTS[self.place, self.estimator]


@dataclass(frozen=True)
class OnlineObjective(Objective):
    """An online objective, and what a batch has to hold for it.

    function     `function(batch, *, options) -> Loss`, on a part of an update
    data         `rollouts`, or `pairs` that were made of them
    group        when to look at it
    needs        fields without which `function` raises ConfigError
    advantages   `advantages(rollouts, *, options) -> Advantages`, over all clips at once; None
                 where rewards are compared in `function`
    reduction    from codes to clips, for the KL in the loss too
    kl           as published, or None for none
    """

    function: Callable[..., Any]
    data: Literal["rollouts", "pairs"]  # type: ignore[assignment]
    group: OnlineGroup  # type: ignore[assignment]
    needs: frozenset[Need | RolloutNeed] = frozenset()  # type: ignore[assignment]
    advantages: Callable[..., Advantages] | None = None
    reduction: Reduction | None = None
    kl: KL | None = None

    @property
    def advantage_options(self) -> dict[str, Any]:
        """Defaults by name, from the signature; none where there are no advantages."""
        return {} if self.advantages is None else self._of_advantages().options

    def bind_advantages(self, options: Mapping[str, Any]) -> Callable[..., Advantages]:
        """The advantages with these options; ConfigError for one that they do not take."""
        bound: Callable[..., Any] = self._of_advantages().bind(options)
        return bound

    def _of_advantages(self) -> OnlineObjective:
        """The same words about the advantages' function."""
        if self.advantages is None:
            raise ConfigError(f"{self.function.__name__} compares rewards itself: no advantages")
        return replace(self, function=self.advantages)
