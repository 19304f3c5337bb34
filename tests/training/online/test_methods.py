"""What settings make of an objective, and which of them do not go together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.losses.online.lengths import overlong_penalty
from auralign.training.online import KLSettings, OnlineSettings, StatesCritic
from auralign.training.online.experience import Experience, Tempered, measures_of, tempered
from auralign.training.online.methods import method_of
from auralign.training.processes import ALONE


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def method(make_policy):
    def make(name: str, *, critic=None, reference=True, **settings):
        policy = make_policy(seed=1)
        held_to = make_policy(seed=2).frozen_copy() if reference else None
        asked = OnlineSettings(objective=name, **settings)
        return method_of(policy, held_to, critic, asked, ALONE)

    return make


REFUSED = {
    "expected an objective over rollouts or pairs, got 'gpro' .did you mean": {"name": "gpro"},
    "got 'kto'": {"name": "kto"},
    "'dpo' compares clips: expected clips_per_prompt of 2": {"name": "dpo", "clips_per_prompt": 1},
    "'grpo' compares the clips of a prompt: expected clips_per_prompt of at least 2, got 1": {
        "name": "grpo",
        "clips_per_prompt": 1,
    },
    "'rloo' compares with a reference and got none": {"name": "rloo", "reference": False},
    "'simpo' compares with a reference and got none": {
        "name": "simpo",
        "rivals": "reference",
        "reference": False,
    },
    "'ipo' compares with the reference itself": {"name": "ipo", "kl": {"weight": 0.1}},
    "'online_dpo' compares with the reference itself": {
        "name": "online_dpo",
        "kl": {"weight": 0.1},
    },
    "rivals: 'rloo' learns from clips of the policy": {"name": "rloo", "rivals": "reference"},
    "most_drift: 'dpo' looks at no behaviour policy": {"name": "dpo", "most_drift": 0.1},
    "min_gap: 'rloo' learns from every group": {"name": "rloo", "min_gap": 0.1},
    "'rloo' has no value head: leave out the critic": {"name": "rloo", "critic_rate": 1e-3},
    "'clip' is not an option|clip": {"name": "grpo", "options": {"clip": 0.2}},
    "compares rewards itself: no advantages": {
        "name": "online_dpo",
        "advantage_options": {"eps": 1},
    },
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_does_not_go_together_is_one_sentence(method, sentence):
    with pytest.raises(ConfigError, match=sentence):
        method(**REFUSED[sentence])


def test_without_a_kl_no_reference_is_needed(method):
    assert method("rloo", kl=None, reference=False).kl is None
    assert method("dapo", reference=False).kl is None


def test_the_published_kl_is_taken_unless_another_is_given(method):
    assert method("grpo").kl == KLSettings(weight=0.04, place="none", estimator="k3")
    assert method("grpo", kl=KLSettings(weight=0.3)).kl == KLSettings(weight=0.3)
    assert method("grpo", kl=KLSettings(weight=0.0)).kl is None


def test_a_kl_that_holds_nothing_is_refused(method):
    # D2: the expected gradient of k1 in the loss is 0.
    with pytest.raises(ConfigError, match="k1 in the loss with 'none' holds nothing"):
        method("rloo", kl=KLSettings(weight=0.1, place="none", estimator="k1"))


def test_a_reward_that_could_not_be_scored_has_no_advantage_and_is_in_no_mean(method, prompts):
    # D7
    made = method("rloo", kl=None, clips_per_prompt=4)
    samples = made.sample(prompts[:1], seeded())
    rollouts = made.rollouts(samples, np.array([1.0, np.nan, 0.0, 1.0]))
    np.testing.assert_allclose(rollouts.advantages, [0.5, 0.0, -1.0, 0.5])
    assert rollouts.counted.tolist() == [True, False, True, True]
    shown = measures_of_rollouts(samples, np.array([1.0, np.nan, 0.0, 1.0]), rollouts)
    assert shown["reward"] == pytest.approx(2 / 3)
    assert shown["reward/mine"] == pytest.approx(2 / 3)
    assert shown["scored"] == 0.75


def measures_of_rollouts(samples, values, rollouts):
    return measures_of(Experience(samples, values, rollouts), ["mine"])


def test_pairs_leave_out_clips_that_could_not_be_scored_and_groups_without_a_gap(method, prompts):
    # C15, D7
    made = method("dpo", clips_per_prompt=3)
    samples = made.sample(prompts * 2, seeded())
    nan = np.nan
    rewards = np.array([1, nan, 0, nan, nan, 5, 2, 2, 2, 0.1, 0.3, nan])
    experience = Experience(samples, rewards, made.rollouts(samples, rewards))
    pairs = made._pairs(experience, range(12))
    found = [(p.chosen_score, p.rejected_score) for p in pairs]
    np.testing.assert_allclose(found, [(1, 0), (0.3, 0.1)])
    assert pairs[1].chosen is samples.clips[10]
    assert pairs[1].prompt == samples.prompts[10]


def test_shares_of_one_decision_are_soft_labels_and_rewards_are_not(method, prompts):
    made = method("ipo_md", clips_per_prompt=2)
    samples = made.sample(prompts, seeded())
    rewards = np.array([0.2, 0.8, 0.5, 0.9])
    experience = Experience(samples, rewards, made.rollouts(samples, rewards))
    assert [p.p_chosen for p in made._pairs(experience, range(4))] == [pytest.approx(0.8), None]
    with pytest.raises(DataError, match="p_chosen"):
        made.backward(experience, range(4), seeded(), fresh=True)


def test_rivals_of_the_reference_stand_beside_the_policys_clips_in_every_group(method, prompts):
    made = method("xpo", rivals="reference", clips_per_prompt=4)
    samples = made.sample(prompts, seeded())
    assert samples.group.tolist() == [0] * 4 + [1] * 4
    assert [p.id for p in samples.prompts] == ["p0"] * 4 + ["p1"] * 4
    generator = seeded()
    own = made.policy.sample(prompts, 2, generator=generator).tokens
    others = made.reference.sample(prompts, 2, generator=generator).tokens
    expected = [own[0], own[1], others[0], others[1], own[2], own[3], others[2], others[3]]
    assert all(map(np.array_equal, samples.clips, expected))


def test_log_probabilities_are_those_of_the_temperature_that_clips_were_drawn_with(method, prompts):
    # A13, D14
    made = method("rloo", temperature=0.7, clips_per_prompt=2)
    samples = made.sample(prompts, seeded())
    rollouts = made.rollouts(samples, np.arange(4.0))
    for policy, found in (
        (made.policy, rollouts.behaviour_logps),
        (made.reference, rollouts.reference_logps),
    ):
        logits, drawn, scored = policy.logits(samples.prompts, samples.clips)
        logps = (logits / 0.7).log_softmax(-1).gather(-1, drawn[..., None])[..., 0]
        torch.testing.assert_close(found[scored], logps[scored].detach())
    assert made.sample(prompts, seeded()).clips[0].tolist() == samples.clips[0].tolist()


def test_a_temperature_needs_logits(make_policy):
    class Opaque:
        pass

    policy = make_policy()
    assert tempered(policy, 1.0) is policy
    assert isinstance(tempered(policy, 0.5), Tempered)
    with pytest.raises(ConfigError, match="without `logits`"):
        tempered(Opaque(), 0.5)


@pytest.mark.parametrize("name", ["rloo", "dpo"])
def test_the_penalty_of_long_clips_is_taken_off_the_reward(method, prompts, name):
    # 4.10.9 of the checklist: clips that were cut off cost something.
    made = method(name, overlong_buffer=4)
    samples = made.sample(prompts, seeded())
    n_frames = torch.tensor([clip.shape[1] for clip in samples.clips], dtype=torch.float64)
    assert len(n_frames.unique()) > 1
    penalty = overlong_penalty(n_frames, longest=8, buffer=4)
    rewards = np.arange(8.0)
    rewards[3] = np.nan
    found = made.rollouts(samples, rewards).rewards
    torch.testing.assert_close(found, (torch.from_numpy(rewards) + penalty).float(), equal_nan=True)


def test_of_several_rewards_the_penalty_of_long_clips_is_one_more(method, prompts):
    made = method("gdpo", overlong_buffer=4)
    samples = made.sample(prompts, seeded())
    found = made.rollouts(samples, np.ones((8, 2))).rewards
    assert found.shape == (8, 3)
    assert (found[:, :2] == 1).all()
    assert (found[:, 2] <= 0).all()


def test_the_penalty_of_long_clips_needs_a_longest_clip(method, prompts, monkeypatch):
    made = method("rloo", overlong_buffer=4)
    samples = made.sample(prompts, seeded())
    monkeypatch.setattr(type(made.policy), "limits", None)
    with pytest.raises(ConfigError, match="overlong_buffer: expected a policy that knows"):
        made.rollouts(samples, np.arange(8.0))


def test_the_longest_clip_that_the_run_allows_has_no_end(method, prompts):
    made = method("dr_grpo", kl=None)
    rollouts = made.rollouts(made.sample(prompts, seeded()), np.arange(8.0))
    assert rollouts.max_codes == 8 * 2
    clips = [np.zeros((2, 8), dtype=int), np.zeros((2, 7), dtype=int)]
    scored = made.policy.token_logps(prompts, clips)[1]
    assert int(scored.sum((-2, -1)).max()) == rollouts.max_codes


def test_the_value_head_begins_at_0_on_a_trunk_of_its_own(make_policy, prompts):
    # 4.10 of the checklist: the first advantages are the rewards and nothing else.
    policy = make_policy()
    critic = StatesCritic.of(policy)
    clips = policy.sample(prompts, 1, generator=seeded()).tokens
    assert not critic.values(prompts, clips).any()
    own = {id(p) for p in policy.model.parameters()}
    assert not own & {id(p) for p in critic.model.parameters()}


def test_a_policy_without_states_has_no_value_head():
    with pytest.raises(ConfigError, match="PPO needs a policy with `states`"):
        StatesCritic.of(object())


def test_a_clip_that_was_cut_off_ends_there_for_the_value_head_too(method, prompts):
    """The reward has heard all of it: nothing is still to come, so that nothing is bootstrapped."""
    made = method("ppo", kl=None)
    rollouts = made.rollouts(made.sample(prompts, seeded()), np.arange(8.0))
    assert rollouts.bootstrap is None
    assert rollouts.old_values.shape == rollouts.token_logps.shape[::2]


def test_flat_groups_are_counted_where_groups_were_left_out_too(method, prompts):
    # D20; group indices have gaps after dynamic sampling.
    made = method("rloo", kl=None, clips_per_prompt=2)
    samples = made.sample(prompts * 2, seeded())
    samples = replace(samples, group=samples.group * 3)
    rewards = np.array([1.0, 1.0, 0.0, 1.0, 2.0, 2.0, 3.0, 4.0])
    shown = measures_of_rollouts(samples, rewards, made.rollouts(samples, rewards))
    assert shown["flat_groups"] == 0.5
