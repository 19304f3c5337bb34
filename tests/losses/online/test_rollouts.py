import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from auralign.errors import ConfigError, DataError
from auralign.losses.online import Rollouts, take
from auralign.losses.online.diagnostics import rollout_measures
from auralign.losses.online.ratios import clip_ratio, require_replayable
from auralign.losses.online.rollouts import clip_rewards

pytestmark = pytest.mark.slow


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_fields_whose_shapes_do_not_fit_are_refused(rollouts):
    # A6: a wrong axis would train without a word.
    batch = rollouts([2, 3], codebooks=2)
    with pytest.raises(DataError, match=r"expected values of shape \(2, 3\) .* got \(3, 2\)"):
        replace(batch, values=torch.zeros(3, 2))
    with pytest.raises(DataError, match=r"expected group of shape \(2,\)"):
        replace(batch, group=torch.zeros(3))
    with pytest.raises(DataError, match=r"expected behaviour_logps of shape \(2, 2, 3\)"):
        replace(batch, behaviour_logps=batch.behaviour_logps.transpose(1, 2))
    with pytest.raises(
        DataError, match=r"expected codes as \[clips, codebook, time\], got \(4, 5\)"
    ):
        Rollouts(torch.zeros(4, 5), torch.zeros(4, 5), torch.zeros(4, 5).bool())


def test_several_rewards_are_added_with_their_weights_where_all_could_be_scored(rollouts):
    rewards = torch.tensor([[1.0, 2.0], [3.0, math.nan]])
    batch = rollouts([1, 1], rewards=rewards, reward_weights=torch.tensor([0.5, 2.0]))
    found, judged = clip_rewards(batch)
    assert_close(found, torch.tensor([4.5, 0.0]))
    assert judged.tolist() == [True, False]


def test_rewards_carry_no_gradient(rollouts):
    batch = rollouts([1, 1], rewards=double(1, 2).requires_grad_())
    assert not clip_rewards(batch)[0].requires_grad


def test_without_rewards_the_missing_thing_is_named(rollouts):
    with pytest.raises(ConfigError, match="needs rewards"):
        clip_rewards(rollouts([1, 1]))


def test_a_part_of_an_update_keeps_the_normalisers_of_the_whole(rollouts):
    batch = rollouts([1, 3, 5], max_codes=9, reward_weights=torch.ones(2))
    part = take(batch, torch.tensor([2]))
    assert part.codes_per_clip == 3
    assert take(part, slice(0, 1)).codes_per_clip == 3
    assert part.max_codes == 9
    assert part.reward_weights.shape == (2,)


def test_clips_of_rollouts_are_those_of_objectives_over_pairs(rollouts):
    reference = torch.full((2, 1, 3), -2.5, dtype=torch.float64)
    clips = rollouts([1, 3], reference_logps=reference).clips
    assert_close(clips.logp, double(-1, -3))
    assert clips.n_codes.tolist() == [1, 3]
    assert_close(clips.log_ratio, double(1.5, 4.5))


def test_a_sampler_whose_probabilities_cannot_be_replayed_is_refused(rollouts):
    # A13, D10: temperature that only the sampler knows, for example.
    require_replayable(rollouts([2, 3]))
    with pytest.raises(
        DataError, match=r"a code that is 0.0141 nats off: score with the sampler's"
    ):
        require_replayable(rollouts([2, 3], [[0, 0.0141], [0]]))
    require_replayable(rollouts([2, 3], [[0, 0.0141], [0]]), tolerance=0.1)


def test_log_probabilities_that_are_no_numbers_are_not_replayable(rollouts):
    with pytest.raises(DataError, match="nan nats off"):
        require_replayable(rollouts([1, 1], [[math.nan], [0]]))


def test_the_ratio_of_an_empty_clip_is_1(rollouts):
    batch = rollouts([0, 2], [[], [0.2, 0.4]])
    assert_close(clip_ratio(batch), double(1, math.exp(0.3)))


def test_measures_of_fresh_clips_show_no_way_from_the_sampler(rollouts):
    found = rollout_measures(rollouts([2, 3]))
    assert (found["ratio"] == 1).all()
    assert (found["largest_ratio"] == 1).all()
    assert (found["behaviour_k1"] == 0).all()
    assert (found["behaviour_k3"] == 0).all()
    assert_close(found["entropy"], double(1, 1))
    assert "reference_k1" not in found


def test_measures_of_old_clips_by_hand(rollouts):
    batch = rollouts(
        [2],
        [[math.log(2), math.log(0.5)]],
        reference_logps=torch.full((1, 1, 2), -1.5, dtype=torch.float64),
        entropies=double(0.2, 0.4)[None, None],
    )
    found = {name: value.item() for name, value in rollout_measures(batch).items()}
    assert found == pytest.approx(
        {
            "ratio": 1.25,
            "largest_ratio": 2.0,
            "behaviour_k1": 0.0,
            "behaviour_k3": 0.25,  # q - 1 - log q at 2 and at 0.5
            "reference_k1": 0.5,
            "reference_k3": math.exp(-0.5) - 0.5,
            "entropy": 0.3,
        }
    )


def test_expected_measures_are_the_divergences_that_they_estimate():
    policy, behaviour, reference = (
        double(*p).log()[:, None, None] for p in [(0.5, 0.3, 0.2), (0.2, 0.2, 0.6), (0.1, 0.3, 0.6)]
    )
    scored = torch.ones_like(policy).bool()
    old = rollout_measures(Rollouts(policy, behaviour, scored))
    weights, p = behaviour.exp().flatten(), policy.exp().flatten()
    kl = (weights * (behaviour - policy).flatten()).sum()
    for name in ("behaviour_k1", "behaviour_k3"):
        assert_close((weights * old[name]).sum(), kl)
    fresh = rollout_measures(Rollouts(policy, policy, scored, reference))
    for name in ("reference_k1", "reference_k3"):
        assert (p * fresh[name]).sum().item() == pytest.approx(0.584996, abs=1e-6)
