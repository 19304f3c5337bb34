import math

from hypothesis import given, settings
from hypothesis import strategies as st

from auralign.types import Candidate, Clip, Judgement, Outcome, Source, TrialProtocol


@settings(max_examples=50, deadline=None)
@given(st.from_type(Judgement))
def test_swap_is_its_own_inverse(judgement):
    assert judgement.swap().swap() == judgement


@given(st.sampled_from(Outcome))
def test_swapping_an_outcome_exchanges_a_and_b_and_keeps_ties_and_skips(outcome):
    expected = {"A": "B", "B": "A"}.get(outcome.value, outcome.value)
    assert outcome.swap() == expected


@given(st.permutations(range(4)))
def test_swapping_a_ranking_still_ranks_the_same_clips(ranking):
    candidates = tuple(Candidate(name) for name in "abcd")
    judgement = Judgement(
        trial="t",
        protocol=TrialProtocol.RANKING,
        dimension="overall",
        prompt_id="p",
        candidates=candidates,
        rater="r",
        source=Source.HUMAN,
        ranking=tuple(ranking),
    )
    swapped = judgement.swap()
    assert swapped.candidates == candidates[::-1]
    assert [swapped.candidates[i] for i in swapped.ranking] == [candidates[i] for i in ranking]


def test_every_outcome_is_a_win_a_tie_or_a_skip():
    kinds = {o: (o.is_decisive, o.is_tie, o is Outcome.SKIP) for o in Outcome}
    assert all(sum(kind) == 1 for kind in kinds.values())


def test_a_clip_whose_audio_is_not_at_hand_has_no_length():
    assert Clip("c", "c.flac", 16_000, 1, 8_000, "p", "s").duration_s == 0.5
    assert math.isnan(Clip("c", "", 0, 0, 0, "p", "s").duration_s)
