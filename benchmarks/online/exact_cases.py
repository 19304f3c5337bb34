"""Every online objective in worlds of two and three codes, and where it has to come to rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from auralign.training.online import KLSettings, by_preference_score, by_win_rate
from auralign.training.online.samples import Assess
from benchmarks.online import fixed_points as at
from benchmarks.online.answers import judge, labels, rewards, thumbs

REFERENCE = np.array([0.6, 0.4])
REWARDS = np.array([0.0, 1.0])
BETA = 0.5
SIZE = 4
"""Clips in a group."""

THREE = np.array([0.5, 0.3, 0.2])
SEVERAL = np.array([[0.0, 10.0], [1.0, 0.0], [2.0, 5.0]])
"""Two rewards of three codes, on different scales and of different minds."""

GAME = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.8], [0.8, 0.2, 0.5]])
"""P(row beats column): the first beats the second, that the third, and that the first."""
UNIFORM = np.full(3, 1 / 3)
TAU = 0.5
MIXED = 0.25

JUDGE = expit(REWARDS[:, None] - REWARDS)
"""P(row beats column) of a Bradley-Terry judge."""
P_SECOND = float(JUDGE[1, 0])
ACCEPTED = np.array([0.4, 0.7])
"""How likely a code gets a thumb up."""


@dataclass(frozen=True)
class Case:
    """A method in a world, and where it has to come to rest.

    assess     None where `GAME` decides against rivals from the mixture with the reference
    settings   beside those that all share (`exactness.SHARED`)
    """

    name: str
    reference: NDArray[np.float64]
    point: NDArray[np.float64]
    assess: Assess | None
    settings: Mapping[str, Any]


def in_loss(weight: float, estimator: str = "k2") -> KLSettings:
    return KLSettings.model_validate({"weight": weight, "place": "none", "estimator": estimator})


FEWER = {"n_rounds": 100, "prompts_per_round": 32}
"""Where advantages vanish at the point of rest, and their noise with them."""

REWARDED = (
    "rloo", "reinforce", "reinforce_pp", "ppo", "grpo", "dr_grpo", "dapo", "gspo", "cispo",
    "best_of_n",
)  # fmt: skip
"""Objectives over rollouts with one reward."""


def with_kl_in_reward() -> list[Case]:
    """At the optimum every clip has the same reward less KL, so that no advantage is left: neither
    a baseline nor a scale can move it."""
    point = at.boltzmann(REFERENCE, REWARDS, BETA)
    return [
        Case(f"{name}, KL in the reward", REFERENCE, point, rewards(REWARDS),
             {"objective": name, "kl": KLSettings(weight=BETA), **FEWER})
        for name in REWARDED
    ]  # fmt: skip


def without_kl() -> list[Case]:
    """Nothing holds the policy: the best code takes all."""
    best = np.array([0.0, 1.0])
    several = np.eye(3)[2]
    cases = [
        Case(f"{name}, no KL", REFERENCE, best, rewards(REWARDS), {"objective": name, **FEWER})
        for name in (*REWARDED, "online_dpo", "gepo")
    ]
    both = rewards(np.array([[0.0, 10.0], [1.0, 15.0], [2.0, 20.0]]))
    return [*cases, Case("gdpo, no KL", THREE, several, both, {"objective": "gdpo"})]


def with_kl_in_loss() -> list[Case]:
    """Advantages that are rewards less a baseline keep the optimum, those that are scaled do not:
    what they are scaled by depends on the policy."""
    z = at.group_push(at.z_scores, REWARDS, SIZE)
    towards, covering = at.towards(REFERENCE), at.covering(REFERENCE)
    whitened = at.held(at.whitened_push(REWARDS), 2.0, towards, REFERENCE)
    scored = at.held(z, 1.0, towards, REFERENCE)
    optimum = at.boltzmann(REFERENCE, REWARDS, BETA)
    points = {
        ("rloo", in_loss(BETA)): optimum,
        ("reinforce", in_loss(BETA)): optimum,
        # The clip itself is in the mean that is taken off: advantages are (G - 1) / G of rloo's.
        ("dr_grpo", in_loss(BETA)): at.boltzmann(REFERENCE, REWARDS, BETA * SIZE / (SIZE - 1)),
        # As published: k3 in the loss pulls by KL(reference || policy).
        ("grpo", in_loss(BETA, "k3")): at.held(z, BETA, covering, REFERENCE),
        ("grpo", in_loss(1.0)): scored,
        ("dapo", in_loss(1.0)): scored,
        ("gspo", in_loss(1.0)): scored,
        ("cispo", in_loss(1.0)): scored,
        ("reinforce_pp", in_loss(2.0)): whitened,
        ("ppo", in_loss(2.0)): whitened,
        ("best_of_n", in_loss(BETA)): at.held(
            at.group_push(at.best_only, REWARDS, SIZE), BETA, towards, REFERENCE
        ),
    }
    cases = [
        Case(f"{name}, {kl.estimator} in the loss", REFERENCE, point, rewards(REWARDS),
             {"objective": name, "kl": kl})
        for (name, kl), point in points.items()
    ]  # fmt: skip
    both = at.group_push(at.z_scores, SEVERAL, SIZE, whiten=True)
    gdpo = at.held(both, 3.0, at.towards(THREE), THREE)
    settings = {"objective": "gdpo", "kl": in_loss(3.0)}
    return [
        *cases,
        Case("gdpo, two rewards, k2 in the loss", THREE, gdpo, rewards(SEVERAL), settings),
    ]


def on_pairs() -> list[Case]:
    """Pairs of fresh clips, labelled by a judge who prefers the second code with P_SECOND.

    Two clips of the same code are labelled too, and teach nothing; what else stands in the loss
    counts for them as well.
    """
    q, beta, settings = P_SECOND, 1.0, {"clips_per_prompt": 2, "prompts_per_round": 256}
    optimum = at.boltzmann(REFERENCE, REWARDS, beta)

    def case(name: str, point: NDArray[np.float64], options: dict[str, float], **more: Any) -> Case:
        chosen = {**settings, "objective": name, "options": {"beta": beta, **options}, **more}
        return Case(f"{name}, fresh pairs", REFERENCE, point, labels(JUDGE), chosen)

    def margin(value: float) -> NDArray[np.float64]:
        return at.with_margin(REFERENCE, value)

    def xpo(d: float, policy: NDArray[np.float64]) -> float:
        differ = policy @ REFERENCE[::-1]
        bonus = REFERENCE[1] - policy[1]
        return float(-differ * beta * (q - expit(beta * d)) + 0.05 * bonus)

    def hypo(d: float, policy: NDArray[np.float64]) -> float:
        return float(-2 * beta * (q - expit(beta * d)) + 0.3 * d)

    smoothed = 0.8 * q + 0.2 * (1 - q)
    return [
        case("online_dpo", optimum, {}),
        case("dpo", optimum, {}),
        # Its own sample is fresh: the bonus of SELM has no gradient on average.
        case("selm", optimum, {"alpha": 0.1}),
        case("cdpo", margin(logit(smoothed) / beta), {"label_smoothing": 0.2}),
        case("rdpo", margin(logit((q - 0.2) / 0.6) / beta), {"label_smoothing": 0.2}),
        case("ipo", margin((2 * q - 1) / (2 * beta)), {}),
        case("hypo_kl", at.two_codes(REFERENCE, hypo), {"kl_weight": 0.3}),
        case("xpo", at.two_codes(REFERENCE, xpo), {"alpha": 0.05}, rivals="reference"),
        Case("gepo, thumbs", REFERENCE, at.at_rest(
            at.gepo_push(ACCEPTED, REFERENCE, size=SIZE, beta=beta, variance_weight=0.1), REFERENCE
        ), thumbs(ACCEPTED), {
            "objective": "gepo", "options": {"beta": beta, "variance_weight": 0.1},
        }),
    ]  # fmt: skip


def in_circles() -> list[Case]:
    """A game without a best answer: the policy that is its own best answer, held by a KL."""
    shared = {"n_rounds": 300, "prompts_per_round": 32, "clips_per_prompt": 16}
    nash_md = {**shared, "objective": "nash_md"}
    nash_md["kl"] = KLSettings(weight=TAU, place="none", estimator="k2", level="clip")
    against_mixture = nash_md | {"prompts_per_round": 256, "clips_per_prompt": 1}
    ipo_md = {**shared, "objective": "ipo_md", "options": {"beta": TAU}}
    ipo_md |= {"prompts_per_round": 128, "clips_per_prompt": 2}
    general = {**shared, "objective": "general_preference", "options": {"beta": 2.0}}
    # The clip itself, with a score of 0, is one of the 16 rivals that its score is the mean over.
    scores = at.nash(UNIFORM, 15 / 16 * logit(GAME), 2.0)
    own, mixed = at.nash(UNIFORM, GAME, TAU), at.nash(UNIFORM, GAME, TAU, MIXED)
    each_other = by_win_rate(judge(GAME))
    return [
        Case("nash_md, self-play", UNIFORM, own, each_other, nash_md),
        Case("nash_md, the mixture", UNIFORM, mixed, None, against_mixture),
        Case("ipo_md, self-play", UNIFORM, own, each_other, ipo_md),
        Case("general_preference", UNIFORM, scores, by_preference_score(judge(GAME)), general),
    ]


def all_cases() -> list[Case]:
    return [
        *with_kl_in_reward(), *without_kl(), *with_kl_in_loss(), *on_pairs(), *in_circles()
    ]  # fmt: skip
