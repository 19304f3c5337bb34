import math
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.preferences.pairs import pairs_from_rewards, pairs_from_votes
from auralign.types import (
    Candidate,
    Judgement,
    Outcome,
    Prompt,
    Source,
    Split,
    TrialProtocol,
)

PROMPTS = {"p": Prompt("p", "one"), "q": Prompt("q", "two", split=Split.VALIDATION)}


def vote(
    first: str,
    second: str,
    outcome: str | None,
    *,
    prompt: str = "p",
    dimension: str = "overall",
    protocol: TrialProtocol = TrialProtocol.PAIR,
) -> Judgement:
    return Judgement(
        trial="t",
        protocol=protocol,
        dimension=dimension,
        prompt_id=prompt,
        candidates=(Candidate(first), Candidate(second)),
        rater="ann",
        source=Source.HUMAN,
        outcome=None if outcome is None else Outcome(outcome),
    )


def pairs(*votes: Judgement):
    return pairs_from_votes(votes, PROMPTS, dimension="overall")


def test_the_share_of_votes_counts_ties_half_and_skips_not_at_all():
    (pair,) = pairs(
        vote("x", "y", "A"),
        vote("x", "y", "A"),
        vote("x", "y", "TIE_GOOD"),
        vote("x", "y", "B"),
        vote("x", "y", "SKIP"),
        vote("x", "y", None),
    )
    assert (pair.chosen, pair.rejected) == ("x", "y")
    assert pair.p_chosen == (1 + 1 + 0.5 + 0) / 4
    assert (pair.n_votes, pair.weight, pair.rule) == (4, 4.0, "vote_share")
    assert (pair.prompt_id, pair.dimension, pair.split) == ("p", "overall", Split.TRAIN)


def test_it_does_not_matter_which_clip_was_presented_first():
    (pair,) = pairs(vote("x", "y", "A"), vote("y", "x", "B"), vote("y", "x", "A"))
    assert (pair.chosen, pair.p_chosen) == ("x", pytest.approx(2 / 3))


@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B", "TIE", "TIE_BAD", "SKIP"]), st.booleans()), min_size=1
    )
)
def test_swapping_the_presentation_of_any_votes_changes_no_pair(answers):
    votes = [vote("x", "y", outcome) for outcome, _ in answers]
    swapped = [v.swap() if s else v for v, (_, s) in zip(votes, answers, strict=True)]
    assert pairs(*swapped) == pairs(*votes)


def test_the_clip_with_more_votes_is_chosen_whatever_its_name():
    (pair,) = pairs(vote("x", "y", "B"), vote("x", "y", "B"), vote("x", "y", "A"))
    assert (pair.chosen, pair.rejected) == ("y", "x")
    assert pair.p_chosen == pytest.approx(2 / 3)


def test_equal_shares_are_kept_and_say_that_the_clips_are_alike():
    (pair,) = pairs(vote("x", "y", "A"), vote("x", "y", "B"))
    assert pair.p_chosen == 0.5


def test_votes_on_other_clips_prompts_dimensions_and_protocols_stay_apart():
    found = pairs(
        vote("x", "y", "A"),
        vote("x", "z", "B"),
        vote("x", "y", "B", prompt="q"),
        vote("x", "y", "B", dimension="production_quality"),
        vote("x", "y", "B", protocol=TrialProtocol.RANKING),
    )
    assert [(p.prompt_id, p.chosen, p.rejected, p.split) for p in found] == [
        ("p", "x", "y", Split.TRAIN),
        ("p", "z", "x", Split.TRAIN),
        ("q", "y", "x", Split.VALIDATION),
    ]


def test_a_trial_of_a_clip_with_itself_makes_no_pair():
    assert pairs(vote("x", "x", "A")) == []


def best_worst(rewards: dict[str, float], *, min_margin: float = 0.0, per_prompt: int = 1):
    return pairs_from_rewards(
        {"p": rewards}, dimension="overall", min_margin=min_margin, per_prompt=per_prompt
    )


REWARDS = {"a": 0.5, "b": 3.0, "c": -1.0, "d": 1.0, "e": 0.0}


def test_the_best_clip_is_paired_with_the_worst():
    (pair,) = best_worst(REWARDS)
    assert (pair.chosen, pair.rejected) == ("b", "c")
    assert pair.p_chosen == pytest.approx(1 / (1 + math.exp(-4)))
    assert (pair.weight, pair.n_votes, pair.rule) == (1.0, 0, "reward_best_worst")


def test_then_the_second_with_the_second_worst_until_the_clips_run_out():
    found = [(p.chosen, p.rejected) for p in best_worst(REWARDS, per_prompt=10)]
    assert found == [("b", "c"), ("d", "e")]


def test_pairs_that_differ_by_less_than_the_margin_are_left_out():
    assert len(best_worst(REWARDS, per_prompt=2, min_margin=1.0)) == 2
    assert len(best_worst(REWARDS, per_prompt=2, min_margin=1.01)) == 1
    assert best_worst(REWARDS, min_margin=4.01) == []


def test_each_prompt_has_pairs_of_its_own_clips():
    found = pairs_from_rewards(
        {"p": {"a": 1.0, "b": 0.0}, "q": {"c": 0.0, "d": 2.0}, "r": {"e": 5.0}},
        dimension="overall",
        min_margin=0.5,
    )
    assert [(p.prompt_id, p.chosen, p.rejected) for p in found] == [
        ("p", "a", "b"),
        ("q", "d", "c"),
    ]


@given(
    rewards=st.lists(st.floats(-5, 5), max_size=9),
    per_prompt=st.integers(1, 5),
    min_margin=st.floats(0, 3),
)
def test_no_clip_is_in_two_pairs_and_chosen_is_never_worse(rewards, per_prompt, min_margin):
    of_clip = {f"c{i}": reward for i, reward in enumerate(rewards)}
    found = best_worst(of_clip, min_margin=min_margin, per_prompt=per_prompt)
    used = list(chain.from_iterable((p.chosen, p.rejected) for p in found))
    assert len(set(used)) == len(used)
    assert len(found) <= per_prompt
    for pair in found:
        assert of_clip[pair.chosen] - of_clip[pair.rejected] >= min_margin
        assert pair.p_chosen >= 0.5
