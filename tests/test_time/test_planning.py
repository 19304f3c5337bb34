from itertools import product

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.test_time import best_of_n, plan
from auralign.types import Prompt


def test_without_expansions_it_is_the_best_of_k(urn, by_sum, prompts, seeded):
    policy = urn((0.3, 0.3, 0.4), 6)
    planned = plan(policy, prompts, by_sum, generator=seeded(), look_aheads=5, n_expansions=0)
    plain = best_of_n(policy, prompts, by_sum, generator=seeded(), n=5)
    np.testing.assert_array_equal(np.concatenate(planned.clips), np.concatenate(plain.clips))
    assert not planned.excluded.any()


def test_a_clip_below_a_pruned_prefix_is_not_chosen_even_if_it_scores_highest(urn, seeded):
    """Of two beginnings one is good on average, and the other has the highest score of all."""
    values = {(0, 0): 5.0, (0, 1): 6.0, (1, 0): -20.0, (1, 1): 7.0}

    def reward(prompts, tokens):
        return np.array([values[tuple(clip[0].tolist())] for clip in tokens])

    prompts = [Prompt(str(i), "") for i in range(40)]
    selection = plan(
        urn((0.5, 0.5), 2),
        prompts,
        reward,
        generator=seeded(),
        segment=1,
        look_aheads=8,
        keep=1,
        n_expansions=1,
    )
    assert {tuple(clip[0].tolist()) for clip in selection.clips} == {(0, 1)}
    tokens, scores = selection.candidates.tokens, selection.scores
    first = np.array([clip[0, 0] for clip in tokens])
    np.testing.assert_array_equal(selection.excluded, first == 1)
    assert scores[selection.excluded].max() == 7


@pytest.mark.parametrize("keep", [1, 2, 3])
@pytest.mark.parametrize("n_expansions", [1, 3, 9])
def test_the_chosen_clip_is_the_best_of_those_that_were_not_pruned(
    urn, by_sum, prompts, seeded, keep, n_expansions
):
    selection = plan(
        urn((0.3, 0.3, 0.4), 6),
        prompts,
        by_sum,
        generator=seeded(),
        segment=2,
        look_aheads=4,
        keep=keep,
        n_expansions=n_expansions,
    )
    for i, best in enumerate(selection.chosen):
        rows = selection.candidates.of_prompt(i)
        allowed = rows[~selection.excluded[rows]]
        assert best in allowed
        assert selection.scores[best] == selection.scores[allowed].max()
    assert (selection.n_drawn <= 4 + n_expansions * 4 * 3).all()


def test_pruned_prefixes_are_never_gone_on_with(urn, by_sum, prompts, seeded):
    """Whatever is drawn later begins with a prefix that has stayed."""
    policy = urn((0.3, 0.3, 0.4), 6)
    options = {"segment": 2, "look_aheads": 4, "keep": 1}
    shorter = plan(policy, prompts, by_sum, generator=seeded(), n_expansions=1, **options)
    longer = plan(policy, prompts, by_sum, generator=seeded(), n_expansions=3, **options)
    n = len(shorter.scores)
    clips, index = longer.candidates.tokens, longer.candidates.prompt_index
    assert len(clips) > n
    assert longer.excluded[:n][shorter.excluded].all()
    pruned = {(index[i], clips[i][:, :2].tobytes()) for i in np.flatnonzero(shorter.excluded)}
    assert all((index[i], clips[i][:, :2].tobytes()) not in pruned for i in range(n, len(clips)))


def test_with_all_kept_and_time_enough_every_clip_is_found(urn, prompts, seeded):
    """Two codes and three frames: eight clips, of which one has a reward."""

    def needle(prompts, tokens):
        return np.array([float(clip[0].tolist() == [1, 0, 1]) for clip in tokens])

    selection = plan(
        urn((0.5, 0.5), 3),
        prompts,
        needle,
        generator=seeded(),
        segment=1,
        look_aheads=8,
        keep=8,
        n_expansions=20,
    )
    assert [clip[0].tolist() for clip in selection.clips] == [[1, 0, 1]] * 3
    first = [selection.candidates.tokens[i] for i in selection.candidates.of_prompt(0)]
    assert {tuple(clip[0].tolist()) for clip in first} == set(product((0, 1), repeat=3))


def test_on_long_clips_whose_reward_adds_up_a_plan_beats_the_best_of_as_many(urn, by_sum, seeded):
    """Eight segments: a segment at a time, good luck need not come all at once."""
    prompts = [Prompt(str(i), "") for i in range(30)]
    policy = urn((0.5, 0.5), 64)
    planned = plan(policy, prompts, by_sum, generator=seeded(), segment=8, n_expansions=8)
    n = round(planned.n_drawn.mean())
    plain = best_of_n(policy, prompts, by_sum, generator=seeded(1), n=n)
    gain = planned.scores[planned.chosen] - plain.scores[plain.chosen]
    assert gain.mean() > 3 * gain.std() / len(prompts) ** 0.5


def test_a_clip_without_a_score_counts_nothing(urn, prompts, seeded):
    def scored_if_even(prompts, tokens):
        sums = np.array([clip.sum() for clip in tokens], float)
        return np.where(sums % 2 == 0, sums, np.nan)

    selection = plan(urn((0.5, 0.5), 5), prompts, scored_if_even, generator=seeded(), segment=1)
    assert all(clip.sum() % 2 == 0 for clip in selection.clips)


def test_the_generator_decides_everything(urn, by_sum, prompts, seeded):
    one, same, other = (
        np.concatenate(plan(urn((0.25,) * 4, 8), prompts, by_sum, generator=seeded(s)).clips)
        for s in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_prompts_of_which_nothing_could_be_scored_are_an_error(urn, prompts, seeded):
    with pytest.raises(DataError, match=r"prompt 'p0': expected a score for one of its 4"):
        plan(urn(), prompts, lambda p, t: np.full(len(t), np.nan), generator=seeded())


def test_numbers_that_make_no_sense_are_refused(urn, by_sum, prompts, seeded):
    for name in ("segment", "look_aheads", "keep"):
        with pytest.raises(ConfigError, match=f"{name}: expected at least 1, got 0"):
            plan(urn(), prompts, by_sum, generator=seeded(), **{name: 0})
    with pytest.raises(ConfigError, match="n_expansions: expected at least 0, got -1"):
        plan(urn(), prompts, by_sum, generator=seeded(), n_expansions=-1)
