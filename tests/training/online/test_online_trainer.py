"""The loop: rounds that sample, judge and learn; what stops it, what it keeps, how it goes on."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.losses.online.kl import adapted_weight
from auralign.training.online import (
    KLSettings,
    OnlineSettings,
    by_reward,
    by_win_rate,
    train_online,
)
from auralign.training.online.methods import RolloutMethod
from auralign.types import Prompt

pytestmark = pytest.mark.slow


def share_of_code_0(prompts, clips):
    return np.array([(clip == 0).mean() for clip in clips])


@pytest.fixture
def run(make_policy, prompts):
    """Trains for a few rounds; the result, what was logged of each round, and the policy."""

    def train(assess=None, *, policy=None, of=None, reference=None, keep="last", **given):
        policy = policy or make_policy(seed=1)
        reference = reference or make_policy(seed=1).frozen_copy()
        names = OnlineSettings.model_fields.keys()
        settings = {"n_rounds": 4, "prompts_per_round": 2, "warmup_steps": 0, "learning_rate": 1e-2}
        settings |= {name: given.pop(name) for name in list(given) if name in names}
        shown: list[dict[str, float]] = []
        log = given.pop("log", lambda step, values: shown.append(dict(values)))
        result = train_online(
            policy,
            reference,
            of or prompts,
            assess or by_reward(share_of_code_0),
            OnlineSettings(**settings),
            log=log,
            keep=keep,
            **given,
        )
        return result, [values for values in shown if "loss" in values], policy

    return train


def test_a_reward_is_learnt(run):
    _, shown, _ = run(n_rounds=12, clips_per_prompt=8, learning_rate=0.03)
    rewards = [values["reward"] for values in shown]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.2


@pytest.mark.parametrize(
    ("objective", "more"),
    [
        ("rloo", {"kl": {"weight": 0.1, "target": 0.5, "horizon": 10}}),
        ("ppo", {"passes": 2, "minibatches": 2, "critic_rate": 0.02}),
        ("xpo", {"rivals": "reference"}),
        ("hypo_kl", {"max_draws": 3, "min_gap": 0.05}),
    ],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights_bit_by_bit(
    run, tmp_path, objective, more
):
    # D22: weights, optimiser, value head, weight of the KL, random numbers and measures.
    asked = {"objective": objective, "n_rounds": 6, "evaluate_every": 2, **more}
    whole, all_rounds, _ = run(**asked)

    def stop(step, values):
        if step == 5 and "loss" in values:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(**asked, folder=tmp_path, log=stop)
    rest, last_rounds, _ = run(**asked, folder=tmp_path)
    assert last_rounds == all_rounds[4:]
    assert rest.evaluations == whole.evaluations
    assert all(torch.equal(rest.weights[name], value) for name, value in whole.weights.items())


def test_a_guards_sentence_ends_training_and_is_kept(run):
    result, _, _ = run(
        n_rounds=8, evaluate_every=2,
        guard=lambda measures: "clips grow too long" if measures["step"] == 4 else None,
    )  # fmt: skip
    assert result.stopped == "clips grow too long"
    assert result.n_steps == 4
    assert result.kept_step == 2


def test_the_weights_of_the_best_evaluation_are_kept(run):
    rewards = {2: 0.1, 4: 0.9, 6: 0.3}
    result, _, policy = run(
        n_rounds=6, evaluate_every=2, keep="best",
        evaluate=lambda step: {"held_out_reward": rewards[step]},
    )  # fmt: skip
    assert result.kept_step == 4
    found = policy.model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in result.weights.items())


def test_in_self_play_no_round_looks_better_than_the_last(run):
    """The mean share of won comparisons is one half, whatever the policy has learnt."""

    def judge(prompts, first, second):
        return 1 / (
            1 + np.exp(-3 * (share_of_code_0(prompts, first) - share_of_code_0(prompts, second)))
        )

    result, _, _ = run(by_win_rate(judge), objective="nash_md", evaluate_every=1, keep="best")
    assert {e["held_out_reward"] for e in result.evaluations} == {0.5}
    assert result.kept_step == 4


def test_held_out_prompts_are_evaluated_with_the_same_random_numbers(run, prompts):
    result, _, _ = run(n_rounds=2, evaluate_every=1, held_out=prompts[:1], learning_rate=1e-9)
    first, second = (e["held_out_reward"] for e in result.evaluations)
    assert first == pytest.approx(second)


def test_a_weight_of_the_kl_follows_its_target(run):
    kl = KLSettings(weight=0.1, target=0.2, horizon=40)
    _, shown, _ = run(kl=kl, clips_per_prompt=4)
    for before, after in pairwise(shown):
        expected = adapted_weight(before["kl_weight"], before["kl"], target=0.2, n=8, horizon=40)
        assert after["kl_weight"] == pytest.approx(expected)
    assert shown[0]["kl_weight"] == 0.1 > shown[1]["kl_weight"]  # the policy is still the reference


def test_groups_that_teach_nothing_are_replaced_by_other_prompts(run):
    # D20
    prompts = [Prompt(f"p{i}", "one", "ann") for i in range(6)]
    asked: list[list[str]] = []

    def assess(samples, generator):
        asked.append([p.id for p in samples.prompts[::2]])
        hard = np.array([p.id in ("p0", "p1", "p2") for p in samples.prompts])
        return np.where(hard, 1.0, np.arange(len(samples)) % 2)

    _, shown, _ = run(
        assess, of=prompts, n_rounds=1, prompts_per_round=3, clips_per_prompt=2, max_draws=4,
        evaluate=lambda step: {},
    )  # fmt: skip
    flat = [sum(p in ("p0", "p1", "p2") for p in part) for part in asked]
    assert len(asked) > 1
    assert [len(part) for part in asked] == [3, *np.minimum(flat[:-1], 3)]
    assert shown[0]["flat_groups"] == 0
    assert shown[0]["scored"] == 1


def test_where_all_groups_are_flat_the_last_draw_is_taken_and_nothing_moves(run, make_policy):
    before = make_policy(seed=1).weights_hash()
    flat = by_reward(lambda prompts, clips: np.ones(len(clips)))
    _, shown, policy = run(flat, max_draws=3, kl=None)
    assert shown[0]["flat_groups"] == 1
    assert policy.weights_hash() == before


@pytest.mark.parametrize("objective", ["dpo", "online_dpo"])
def test_an_update_without_a_pair_is_no_step_of_momentum_either(run, objective):
    def in_the_first_round_only():
        rounds = iter(range(10))

        def assess(samples, generator):
            values = share_of_code_0(samples.prompts, samples.clips)
            return values if next(rounds) == 0 else np.full(len(samples), np.nan)

        return assess

    asked = {"objective": objective, "evaluate": lambda step: {}}
    one, _, _ = run(in_the_first_round_only(), **asked, n_rounds=1)
    three, shown, _ = run(in_the_first_round_only(), **asked, n_rounds=3)
    assert [values.get("empty_updates", 0) for values in shown] == [0, 1, 1]
    assert all(torch.equal(three.weights[name], value) for name, value in one.weights.items())


def test_minibatches_keep_the_clips_of_a_prompt_together(run, monkeypatch):
    updates = []
    real = RolloutMethod.backward

    def backward(self, experience, rows, generator, *, fresh):
        updates.append((experience.samples.group[rows], fresh))
        return real(self, experience, rows, generator, fresh=fresh)

    monkeypatch.setattr(RolloutMethod, "backward", backward)
    run(
        of=[Prompt(f"p{i}", "one", "ann") for i in range(4)], prompts_per_round=4,
        clips_per_prompt=3, n_rounds=1, passes=2, minibatches=2, objective="grpo",
    )  # fmt: skip
    assert [fresh for _, fresh in updates] == [True, False, False, False]
    for groups, _ in updates:
        assert np.unique(groups, return_counts=True)[1].tolist() == [3, 3]
    for a, b in (updates[:2], updates[2:]):
        assert sorted({*a[0].tolist(), *b[0].tolist()}) == [0, 1, 2, 3]


def test_prompts_that_are_alike_are_groups_of_their_own(run, prompts):
    # D5: groups are told by their index, not by their text.
    seen = []

    def assess(samples, generator):
        seen.append(samples.group)
        return share_of_code_0(samples.prompts, samples.clips)

    run(assess, of=[prompts[0]] * 2, clips_per_prompt=3, n_rounds=1, evaluate=lambda step: {})
    assert seen[0].tolist() == [0, 0, 0, 1, 1, 1]


def test_on_fresh_clips_the_ratio_is_1_however_far_the_policy_has_gone(run):
    # D1
    _, shown, _ = run(objective="dapo", n_rounds=8, learning_rate=0.05, clips_per_prompt=4)
    assert max(abs(values["largest_ratio"] - 1) for values in shown) < 1e-4
    assert all(values["clip_share"] == 0 for values in shown)
    assert shown[-1]["kl"] > 0.3


def test_a_round_of_updates_ends_where_the_policy_has_drifted_too_far(run, monkeypatch):
    # 4.10.10 of the checklist.
    drifts = []
    real = RolloutMethod.backward

    def backward(self, *given, **more):
        shown = real(self, *given, **more)
        drifts.append(shown["behaviour_k1"])
        return shown

    monkeypatch.setattr(RolloutMethod, "backward", backward)
    asked = {"objective": "grpo", "passes": 6, "n_rounds": 1, "learning_rate": 0.02}
    run(**asked)
    free, most = list(drifts), sorted(drifts)[2] + 1e-6
    drifts.clear()
    run(**asked, most_drift=most)
    assert len(free) == 6
    assert drifts == free[: len(drifts)]
    assert [drift > most for drift in drifts] == [False] * (len(drifts) - 1) + [True]


def test_values_are_trained_and_logged(run):
    _, shown, _ = run(
        objective="ppo", n_rounds=20, clips_per_prompt=8, kl=None, critic_rate=0.05,
        schedule="linear",
    )  # fmt: skip
    assert "explained_variance" in shown[0]
    assert shown[-1]["value_loss"] < shown[0]["value_loss"] / 2
    rates = [values["learning_rate"] for values in shown]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1] > 0


def test_a_policy_that_is_another_in_training_is_refused(run, make_policy):
    # 4.10.7 of the checklist: dropout that only one of rollout and update knows.
    policy = make_policy(seed=1)
    policy.model.norm.register_forward_hook(
        lambda module, given, out: out * 0.5 if module.training else out
    )
    with pytest.raises(DataError, match="expected fresh clips to be as likely as when they were"):
        run(policy=policy)


def test_a_reference_in_training_mode_or_that_is_trained_is_refused(run, make_policy):
    with pytest.raises(ConfigError, match="expected a reference in evaluation mode"):
        run(reference=make_policy(seed=1))
    policy = make_policy(seed=1)
    shared = replace(policy, model=policy.model.eval())
    with pytest.raises(ConfigError, match="leaves alone, but its weights have changed"):
        run(policy=policy, reference=shared)


@pytest.mark.parametrize(
    ("sentence", "asked"),
    [
        ("a prompt for each of 1 processes in every round, got 0", {"of": ()}),
        ("expected a policy with weights to train", {"frozen": True}),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(make_policy, prompts, sentence, asked):
    policy = make_policy(seed=1)
    if "frozen" in asked:
        policy.model.requires_grad_(False)
    with pytest.raises(ConfigError, match=sentence):
        train_online(
            policy,
            make_policy(seed=1).frozen_copy(),
            asked.get("of", prompts),
            by_reward(share_of_code_0),
            OnlineSettings(),
        )
