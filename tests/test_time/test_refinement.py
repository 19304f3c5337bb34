import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.test_time import best_of_mini_n, best_of_n, refine


def higher_sum(prompts, first, second):
    """A sure judge."""
    difference = np.array([float(a.sum() - b.sum()) for a, b in zip(first, second, strict=True)])
    return (np.sign(difference) + 1) / 2


@pytest.fixture
def start(urn, by_sum, prompts, seeded):
    policy = urn((0.5, 0.5), 8)
    return policy, best_of_n(policy, prompts, by_sum, generator=seeded(), n=2)


def refined(start, prompts, generator, judge=higher_sum, n_rounds=20, rng=0):
    policy, first = start
    rng = np.random.default_rng(rng)
    return refine(policy, prompts, first, judge, n_rounds=n_rounds, rng=rng, generator=generator)


def test_a_sure_judge_never_ends_with_a_worse_clip(start, prompts, seeded):
    sums = [
        [clip.sum() for clip in refined(start, prompts, seeded(), n_rounds=n).clips]
        for n in range(1, 30)
    ]
    assert all((np.diff(sums, axis=0) >= 0).ravel())
    assert all(after > before.sum() for after, before in zip(sums[-1], start[1].clips, strict=True))


def test_each_new_clip_begins_like_the_one_that_it_is_to_replace(start, prompts, seeded):
    policy, first = start
    rounds = [refined(start, prompts, seeded(), n_rounds=n) for n in range(1, 8)]
    at_hand = [first.clips, *[selection.clips for selection in rounds]]
    prefixes = policy.prefixes[-7 * len(prompts) :]
    for n, held in enumerate(at_hand[:-1]):
        for prompt, prefix in prefixes[3 * n : 3 * n + 3]:
            clip = held[int(prompt[1:])]
            assert prefix.shape[1] < clip.shape[1]
            np.testing.assert_array_equal(prefix, clip[:, : prefix.shape[1]])


def test_a_judge_who_cannot_tell_changes_nothing(start, prompts, seeded):
    selection = refined(start, prompts, seeded(), judge=lambda p, a, b: np.full(len(a), 0.5))
    assert selection.chosen.tolist() == start[1].chosen.tolist()
    assert selection.n_drawn.tolist() == [22, 22, 22]


def test_the_score_of_a_new_clip_is_what_the_judge_said(start, prompts, seeded):
    selection = refined(start, prompts, seeded())
    assert np.isnan(selection.scores[:6]).all()
    assert set(selection.scores[6:]) <= {0.0, 0.5, 1.0}


def test_a_prompt_without_a_clip_stays_without(urn, by_sum, prompts, seeded):
    policy = urn((0.5, 0.5), 4)
    nothing = best_of_mini_n(
        policy, prompts, by_sum, generator=seeded(), threshold=99, abstain=True
    )
    selection = refined((policy, nothing), prompts, seeded())
    assert selection.clips == [None, None, None]


def test_the_generators_decide_everything(start, prompts, seeded):
    one, same, other = (
        np.concatenate(refined(start, prompts, seeded(), n_rounds=2, rng=rng).candidates.tokens)
        for rng in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_what_makes_no_sense_is_refused(start, prompts, seeded):
    with pytest.raises(ConfigError, match="n_rounds: expected at least 1, got 0"):
        refined(start, prompts, seeded(), n_rounds=0)
    with pytest.raises(DataError, match="a probability from 0 to 1"):
        refined(start, prompts, seeded(), judge=lambda p, a, b: np.full(len(a), 2.0))
