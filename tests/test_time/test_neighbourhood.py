from dataclasses import replace

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.preferences.directions import direction, direction_tags
from auralign.test_time import best_of_n, best_of_neighbourhood
from auralign.types import Prompt, Rollout

TARGET = 40.0


def ones(prompts, tokens):
    return np.array([float((clip == 1).sum()) for clip in tokens])


def twos(prompts, tokens):
    return np.array([float((clip == 2).sum()) for clip in tokens])


def steer(prompt, towards):
    return replace(prompt, condition=direction_tags(towards, ("bright", "fast")))


def select(policy, prompts, generator, *, rng=0, **options):
    return best_of_neighbourhood(
        policy,
        prompts,
        (ones, twos),
        towards_degrees=TARGET,
        steer=steer,
        rng=np.random.default_rng(rng),
        generator=generator,
        **options,
    )


def test_without_a_neighbourhood_it_is_the_best_of_k_along_the_target(urn, prompts, seeded):
    policy = urn((0.4, 0.3, 0.3), 5)
    along = direction(TARGET)

    def value(prompts, tokens):
        return ones(prompts, tokens) * along[0] + twos(prompts, tokens) * along[1]

    near = select(policy, prompts, seeded(), k=7, max_degrees=0)
    plain = best_of_n(policy, prompts, value, generator=seeded(), n=7)
    np.testing.assert_array_equal(near.chosen, plain.chosen)
    np.testing.assert_array_equal(np.concatenate(near.clips), np.concatenate(plain.clips))
    assert {p.condition for p in policy.asked[0]} == {"<bright: 77> <fast: 64>"}


class TrainedAlong:
    """Makes clips that go along the direction asked for, less so away from the first dimension."""

    def sample(self, prompts, n, *, generator, temperature=1.0):
        angles = np.radians([float(p.condition) for p in prompts])
        follows = np.exp(-((np.degrees(angles) / 40) ** 2))
        along = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * follows[:, None]
        noise = 0.3 * torch.randn(len(prompts), 2, generator=generator).numpy()
        clips = [np.rint(1000 * clip).astype(int)[:, None] for clip in along + noise]
        ended = np.ones(len(clips), bool)
        return Rollout(np.arange(len(clips)), clips, ended, np.zeros(len(clips)))


def gain_of_a_neighbourhood(degrees, generator_of):
    """Mean gain along the target over the best of k there, and its standard error."""
    chosen = [
        best_of_neighbourhood(
            TrainedAlong(),
            [Prompt(str(i), "") for i in range(200)],
            tuple(lambda p, t, d=d: np.array([clip[d, 0] / 1000 for clip in t]) for d in (0, 1)),
            towards_degrees=degrees,
            steer=lambda p, v: replace(p, condition=str(np.degrees(np.arctan2(v[1], v[0])))),
            rng=np.random.default_rng(0),
            generator=generator_of(),
            max_degrees=range_,
        )
        for range_ in (0, 30)
    ]
    plain, near = (selection.scores[selection.chosen] for selection in chosen)
    return (near - plain).mean(), (near - plain).std() / len(near) ** 0.5


def test_a_neighbourhood_gains_far_from_what_was_trained_and_costs_where_it_was(seeded):
    far, error = gain_of_a_neighbourhood(50, seeded)
    assert far > 3 * error
    near, error = gain_of_a_neighbourhood(0, seeded)
    assert near < -3 * error


def test_every_direction_asked_for_lies_in_the_neighbourhood(urn, prompts, seeded):
    policy = urn()
    select(policy, prompts * 20, seeded(), k=5, max_degrees=30)
    (asked,) = policy.asked
    tags = [p.condition.replace(">", "").split("<")[1:] for p in asked]
    angles = [np.degrees(np.arctan2(*(float(t.split(":")[1]) for t in two[::-1]))) for two in tags]
    # Tags are whole hundredths: half of one is 0.3 degrees.
    assert TARGET - 30.5 < min(angles) < TARGET - 25
    assert TARGET + 25 < max(angles) < TARGET + 30.5


def test_no_clip_of_the_pool_is_worth_more_along_the_target(urn, prompts, seeded):
    selection = select(urn((0.4, 0.3, 0.3), 6), prompts, seeded())
    pool, along = selection.candidates, direction(TARGET)
    worth = np.stack([ones([], pool.tokens), twos([], pool.tokens)], axis=-1) @ along
    assert selection.n_drawn.tolist() == [5, 5, 5]
    for i, best in enumerate(selection.chosen):
        assert worth[best] == worth[pool.of_prompt(i)].max()


def test_rewards_see_the_prompts_as_they_were_given(urn, prompts, seeded):
    seen = []

    def looks(asked, tokens):
        seen.extend(asked)
        return np.zeros(len(tokens))

    best_of_neighbourhood(
        urn(),
        prompts,
        (looks, looks),
        towards_degrees=0,
        steer=steer,
        rng=np.random.default_rng(0),
        generator=seeded(),
    )
    assert {p.condition for p in seen} == {None}


def test_both_generators_decide_everything(urn, prompts, seeded):
    def clips(rng, seed):
        policy = urn((0.4, 0.3, 0.3), 6)
        chosen = select(policy, prompts, seeded(seed), rng=rng).clips
        return policy.asked, np.concatenate(chosen).tolist()

    assert clips(0, 0) == clips(0, 0)
    assert clips(0, 0)[0] != clips(1, 0)[0]


def test_a_clip_must_be_scored_on_both_dimensions(urn, prompts, seeded):
    def never(prompts, tokens):
        return np.full(len(tokens), np.nan)

    with pytest.raises(DataError, match=r"one of its 5 candidates, got none"):
        best_of_neighbourhood(
            urn(),
            prompts,
            (ones, never),
            towards_degrees=0,
            steer=steer,
            rng=np.random.default_rng(0),
            generator=seeded(),
        )


def test_a_negative_neighbourhood_is_refused(urn, prompts, seeded):
    with pytest.raises(ConfigError, match="max_degrees: expected at least 0, got -1"):
        select(urn(), prompts, seeded(), max_degrees=-1)
