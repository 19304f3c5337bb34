"""Each rule on candidates of which it is known what it must take."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import DataError
from auralign.training.rounds.annotators import P_FIRST, ask_judge, ask_reward, bradley_terry_judge
from auralign.training.rounds.curation import (
    agreement,
    anchored,
    best_and_worst,
    longest_common_order,
    ranked_pairing,
    vote_share,
)
from auralign.training.rounds.records import Annotation, Candidates, Sampled
from auralign.training.rounds.win_matrix import win_matrices
from auralign.types import (
    Candidate,
    Judgement,
    Outcome,
    Prompt,
    Score,
    ScoreStatus,
    Source,
    Split,
    TrialProtocol,
)

PROMPT = Prompt("p", "one", split=Split.VALIDATION)


def clips_of(**systems: int) -> list[Sampled]:
    """So many clips of each system for one prompt; clip i has the code i."""
    names = [name for name, n in systems.items() for _ in range(n)]
    return [Sampled(PROMPT, np.full((1, 2), i), name) for i, name in enumerate(names)]


def scored(candidates: Candidates, *values: float | None) -> Annotation:
    return Annotation(
        scores=[
            Score(clip.id, "s", value, ScoreStatus.OK if value is not None else ScoreStatus.FAILED)
            for clip, value in zip(candidates.clips, values, strict=True)
        ]
    )


def judged(candidates: Candidates, p: np.ndarray) -> Annotation:
    """Every two clips once, with the probability `p[i, j]` that i is preferred."""
    ids = [clip.id for clip in candidates.clips]
    return Annotation(
        [
            Judgement(
                f"{i}-{j}", TrialProtocol.PAIR, "overall", PROMPT.id,
                (Candidate(ids[i]), Candidate(ids[j])), "judge", Source.JUDGE,
                outcome=Outcome.A if p[i, j] > 0.5 else Outcome.B,
                context={P_FIRST: repr(float(p[i, j]))},
            )
            for i, j in permutations(range(len(ids)), 2)
            if i < j
        ]
    )  # fmt: skip


def named(candidates: Candidates, pairs) -> list[tuple[int, int]]:
    """Chosen and rejected by the numbers of the clips."""
    place = {clip.id: i for i, clip in enumerate(candidates.clips)}
    return [(place[p.chosen], place[p.rejected]) for p in pairs]


def test_best_and_worst_takes_the_ends_of_the_scores(candidates_of):
    candidates = candidates_of(clips_of(policy=4))
    (pair,) = best_and_worst(candidates, scored(candidates, 1.0, 3.0, -1.0, None), None)
    assert named(candidates, [pair]) == [(1, 2)]
    assert pair.p_chosen == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert (pair.rule, pair.split) == ("reward_best_worst", Split.VALIDATION)


def test_best_and_worst_of_votes_takes_who_wins_and_who_loses_most(candidates_of):
    candidates = candidates_of(clips_of(policy=3))
    p = np.array([[0.5, 1, 1], [0, 0.5, 1], [0, 0, 0.5]])
    (pair,) = best_and_worst(candidates, judged(candidates, p), None)
    assert named(candidates, [pair]) == [(0, 2)]
    assert pair.rule == "worth_best_worst"


def test_clips_that_score_alike_give_no_pair(candidates_of):
    candidates = candidates_of(clips_of(policy=3))
    assert best_and_worst(candidates, scored(candidates, 1.0, 1.0, 1.0), None) == []


def test_answers_on_another_dimension_are_named(candidates_of):
    candidates = candidates_of(clips_of(policy=2))
    answers = judged(candidates, np.array([[0.5, 1], [0, 0.5]]))
    with pytest.raises(DataError, match="on the dimension 'production_quality', found none"):
        best_and_worst(candidates, answers, None, dimension="production_quality")


def test_equal_shares_of_votes_order_nothing(candidates_of):
    candidates = candidates_of(clips_of(policy=2))
    (answer,) = judged(candidates, np.array([[0.5, 1.0], [0, 0.5]])).judgements
    assert vote_share(candidates, Annotation([answer, answer.swap()]), None)
    tied = Annotation([answer, Judgement(**{**_fields(answer), "outcome": Outcome.B})])
    assert vote_share(candidates, tied, None) == []


def _fields(judgement):
    return {name: getattr(judgement, name) for name in judgement.__dataclass_fields__}


def test_ranked_pairs_keep_the_strength_of_the_judge(candidates_of):
    candidates = candidates_of(clips_of(policy=3))
    p = np.array([[0.5, 0.6, 0.9], [0.4, 0.5, 0.8], [0.1, 0.2, 0.5]])
    pairs = ranked_pairing(candidates, judged(candidates, p), None)
    assert named(candidates, pairs) == [(0, 1), (0, 2), (1, 2)]
    assert [pair.p_chosen for pair in pairs] == pytest.approx([0.6, 0.9, 0.8])


def test_a_pair_that_closes_a_cycle_is_left_out(candidates_of):
    """0 beats 1 by far and 1 beats 2, but 2 beats 0 a little: the ranking is 0, 1, 2."""
    candidates = candidates_of(clips_of(policy=3))
    p = np.array([[0.5, 0.9, 0.4], [0.1, 0.5, 0.9], [0.6, 0.1, 0.5]])
    pairs = ranked_pairing(candidates, judged(candidates, p), None)
    assert named(candidates, pairs) == [(0, 1), (1, 2)]


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.floats(0, 1), min_size=n, max_size=n)))
def test_two_orders_of_a_judge_give_complementary_probabilities(values):
    answers = [
        Judgement(
            str(i), TrialProtocol.PAIR, "overall", "p", (Candidate("a"), Candidate("b")), "j",
            Source.JUDGE, outcome=Outcome.A, context={P_FIRST: repr(v)},
        )
        for i, v in enumerate(values)
    ]  # fmt: skip
    (matrix,) = win_matrices(answers, "overall").values()
    assert matrix.p[0, 1] == pytest.approx(np.mean(values))
    assert matrix.p[0, 1] + matrix.p[1, 0] == pytest.approx(1)


def test_a_clip_of_the_first_policy_is_rejected_where_it_is_the_worst(candidates_of):
    candidates = candidates_of(clips_of(policy=2, first=2))
    pairs = anchored(candidates, scored(candidates, 2.0, 1.0, -3.0, 5.0), None)
    assert named(candidates, pairs) == [(0, 2)]


def test_a_clip_of_the_policy_is_rejected_where_all_earlier_ones_are_better(candidates_of):
    candidates = candidates_of(clips_of(policy=2, first=2))
    pairs = anchored(candidates, scored(candidates, 2.0, 1.0, 1.5, 5.0), None)
    assert named(candidates, pairs) == [(0, 1)]


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=6, unique=True))
def test_with_one_policy_as_both_anchored_pairs_are_best_and_worst(candidates_of, values):
    candidates = candidates_of(clips_of(policy=len(values)))
    votes = scored(candidates, *map(float, values))
    plain = best_and_worst(candidates, votes, None)
    assert named(candidates, anchored(candidates, votes, None)) == named(candidates, plain)


def test_equal_rankings_agree_in_full_and_reversed_ones_on_one_clip():
    order = list("abcde")
    assert longest_common_order(order, order) == order
    assert len(longest_common_order(order, order[::-1])) == 1


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_agreed_order_is_the_longest_that_both_rankings_have(first, second):
    """Against all subsets, the slow way."""
    first, second = [str(i) for i in first], [str(i) for i in second]
    found = longest_common_order(first, second)
    assert found == [c for c in first if c in found] == [c for c in second if c in found]
    subsets = [[c for i, c in enumerate(first) if bits >> i & 1] for bits in range(2**6)]
    common = [s for s in subsets if s == [c for c in second if c in s]]
    assert len(found) == max(map(len, common))


def test_only_the_order_that_judge_and_policy_share_is_trained_on(candidates_of):
    candidates = candidates_of(clips_of(policy=3))
    policy = SimpleNamespace(sequence_logps=lambda prompts, tokens: np.array([-2.0, -9.0, -4.0]))
    votes = scored(candidates, 3.0, 2.0, 1.0)  # 0, 1, 2; the policy says 0, 2, 1
    pairs = agreement(candidates, votes, SimpleNamespace(policy=policy))
    assert named(candidates, pairs) in ([(0, 1)], [(0, 2)])
    reversed_votes = scored(candidates, 1.0, 3.0, 2.0)  # 1, 2, 0 against 0, 2, 1
    assert agreement(candidates, reversed_votes, SimpleNamespace(policy=policy)) == []


def test_a_reward_scores_every_clip_and_a_missing_one_is_not_zero(candidates_of):
    candidates = candidates_of(clips_of(policy=2))
    votes = ask_reward(lambda prompts, tokens: np.array([1.5, np.nan]), name="r")(candidates, None)
    assert [(s.value, s.status) for s in votes.scores] == [
        (1.5, ScoreStatus.OK),
        (None, ScoreStatus.FAILED),
    ]
    with pytest.raises(DataError, match="reward 'r': expected scores of clips"):
        ask_reward(lambda prompts, tokens: np.full(2, np.nan), name="r")(candidates, None)


def test_a_reward_in_logits_is_a_judge_of_pairs(candidates_of):
    candidates = candidates_of(clips_of(policy=2))
    judge = bradley_terry_judge(lambda prompts, tokens: np.array([t.mean() for t in tokens]))
    answers = ask_judge(judge, name="bt")(candidates, None).judgements
    assert len(answers) == 2  # both orders
    (matrix,) = win_matrices(answers, "overall").values()
    assert matrix.p[1, 0] == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_a_judge_that_gives_no_probabilities_is_refused(candidates_of):
    candidates = candidates_of(clips_of(policy=2))
    with pytest.raises(DataError, match="expected probabilities from 0 to 1"):
        ask_judge(lambda prompts, a, b: [1.5, 0.0], name="j")(candidates, None)
