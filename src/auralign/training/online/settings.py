"""How a policy is trained on its own clips; read strictly, as all settings are."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.losses.online.kl import Estimator, Level, Place
from auralign.training.settings import OptimiserSettings


class KLSettings(StrictModel):
    """How the policy is held to the reference.

    weight             of the KL, in reward or loss
    place, estimator   as in `losses.online.kl`, which says what each pair of them pulls at
    level              of what stands in the loss: the divergence of each `code`, or of whole clips
    target             nats a clip that the weight is adapted to; None leaves the weight alone
    horizon            clips over which an adapted weight may change by about a fifth
    """

    weight: float = Field(ge=0)
    place: Place = "reward"
    estimator: Estimator = "k1"
    level: Level = "code"
    target: float | None = Field(default=None, gt=0)
    horizon: int = Field(default=10_000, ge=1)


class OnlineSettings(OptimiserSettings):
    """Settings of `train_online`; the seed, the prompts and the reward are not among them.

    objective           a name in `losses.online.ONLINE_OBJECTIVES`, or in `losses.OBJECTIVES` one
                        over pairs, which then are each prompt's best and worst clip
    options             of the objective, and `advantage_options` of its advantages
    n_rounds            rounds of sampling
    prompts_per_round   prompts that clips are sampled for in a round, over all processes
    clips_per_prompt    clips of each: a group, whose members are compared with each other
    passes              times that the clips of a round are learnt from
    minibatches         updates in a pass; the clips of a prompt stay together
    temperature         of sampling; log-probabilities are those of the tempered policy throughout
    kl                  as the method was published, or as given, or None for none
    rivals              `reference` samples the second half of each group from the reference, as XPO
                        does (objectives over pairs only)
    min_gap             groups whose rewards differ by no more teach nothing: they give no pair, and
                        are drawn again where `max_draws` allows
    max_draws           draws of prompts in a round: above 1, prompts without a gap are replaced by
                        others (dynamic sampling, arXiv 2503.14476)
    overlong_buffer     frames before the longest clip that the policy can make in which a penalty
                        grows from 0 to 1 (published for rewards of -1 to 1); None for none
    most_drift          nats a code of KL(behaviour || policy) beyond which a round's updates end;
                        None for no bound
    critic_rate         learning rate of the value head, where there is one; None is that of the
                        policy
    """

    objective: str = "rloo"
    options: dict[str, Any] = Field(default_factory=dict)
    advantage_options: dict[str, Any] = Field(default_factory=dict)
    n_rounds: int = Field(default=100, ge=1)
    prompts_per_round: int = Field(default=16, ge=1)
    clips_per_prompt: int = Field(default=4, ge=1)
    passes: int = Field(default=1, ge=1)
    minibatches: int = Field(default=1, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    kl: KLSettings | Literal["published"] | None = "published"
    rivals: Literal["policy", "reference"] = "policy"
    min_gap: float = Field(default=0.0, ge=0)
    max_draws: int = Field(default=1, ge=1)
    overlong_buffer: int | None = Field(default=None, ge=1)
    most_drift: float | None = Field(default=None, gt=0)
    critic_rate: float | None = Field(default=None, gt=0)
