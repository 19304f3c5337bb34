"""However an update is cut into passes, its gradient is that of the whole."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from auralign.losses.online import ONLINE_OBJECTIVES
from auralign.training.online import KLSettings, OnlineSettings
from auralign.training.online.experience import Experience
from auralign.training.online.methods import method_of
from auralign.training.processes import ALONE

pytestmark = pytest.mark.slow

IN_PASSES = [*ONLINE_OBJECTIVES, "dpo", "ipo", "aot"]
N = 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rewards_for(name: str, n: int) -> np.ndarray:
    """Shares of won comparisons, which every objective can take; two columns for several."""
    drawn = np.random.default_rng(0).uniform(0.1, 0.9, size=n)
    if name == "gdpo":
        return np.stack([drawn, 10 * drawn[::-1]], 1)
    if name == "ipo_md":
        drawn[1::2] = 1 - drawn[::2]
    return drawn


def moved(policy, seed: int = 9) -> None:
    """As after some updates, so that ratios are not 1."""
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight += 0.03 * torch.randn(weight.shape, generator=seeded(seed))


def gradient_of(make_policy, prompts, name, frames_per_pass, **settings):
    """The loss and the gradient of an update over a whole round of clips that have grown old."""
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    asked = {"clips_per_prompt": 2 if name == "ipo_md" else N, **settings}
    chosen = OnlineSettings(objective=name, frames_per_pass=frames_per_pass, **asked)
    method = method_of(policy, reference, None, chosen, ALONE)
    samples = method.sample(prompts * 3, seeded())
    rewards = rewards_for(name, len(samples))
    experience = Experience(samples, rewards, method.rollouts(samples, rewards))
    moved(policy)
    shown = method.backward(experience, range(len(samples)), seeded(), fresh=False)
    models = [policy.model] + ([method.critic.model] if method.critic else [])
    parts = [p.grad.flatten() for m in models for p in m.parameters() if p.grad is not None]
    return shown, torch.cat(parts)


@pytest.mark.parametrize("name", IN_PASSES)
def test_parts_of_an_update_have_the_loss_and_the_gradient_of_the_whole(make_policy, prompts, name):
    whole, wanted = gradient_of(make_policy, prompts, name, 10_000)
    parts, found = gradient_of(make_policy, prompts, name, 9)
    assert float(wanted.abs().max()) > 0
    assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=1e-3)
    assert parts.keys() == whole.keys()
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("level", ["code", "clip"])
def test_a_kl_in_the_loss_is_the_same_in_parts(make_policy, prompts, level):
    kl = KLSettings(weight=0.3, place="ratio", estimator="k3", level=level)
    _, wanted = gradient_of(make_policy, prompts, "grpo", 10_000, kl=kl)
    _, found = gradient_of(make_policy, prompts, "grpo", 9, kl=kl)
    _, free = gradient_of(make_policy, prompts, "grpo", 9, kl=None)
    assert_close(found, wanted, atol=1e-5 * float(wanted.abs().max()), rtol=1e-3)
    assert not torch.allclose(found, free, rtol=0.1)


@pytest.mark.parametrize("name", ["rloo", "dapo", "gspo", "ppo"])
def test_minibatches_of_a_round_add_up_to_it(make_policy, prompts, name):
    """Their mean has the gradient of the round, so that nothing is divided by what a part holds."""
    policy, reference = make_policy(seed=1), make_policy(seed=2).frozen_copy()
    settings = OnlineSettings(objective=name, clips_per_prompt=N)
    method = method_of(policy, reference, None, settings, ALONE)
    samples = method.sample(prompts * 2, seeded())
    rewards = rewards_for(name, len(samples))
    experience = Experience(samples, rewards, method.rollouts(samples, rewards))
    rows = [list(range(0, 8)), list(range(8, 16))]
    found = []
    for part in (rows[0], rows[1], rows[0] + rows[1]):
        policy.model.zero_grad()
        method.backward(experience, part, seeded(), fresh=True)
        found.append(torch.cat([p.grad.flatten() for p in policy.model.parameters()]))
    scale = float(found[2].abs().max())
    assert_close((found[0] + found[1]) / 2, found[2], atol=1e-5 * scale, rtol=1e-3)
