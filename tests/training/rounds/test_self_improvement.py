"""Temporal pairs, growing galleries and labels of the policy's own."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auralign.data.example_files import read_examples
from auralign.data.examples import TokenList, TokenPair
from auralign.errors import DataError
from auralign.training.rounds.context import RoundContext
from auralign.training.rounds.gallery import GALLERY, ask_refitted_reward, grow, insertion_place
from auralign.training.rounds.implicit import (
    ask_in_first_round,
    extrapolated_logps,
    least_confident,
    self_labelled,
)
from auralign.training.rounds.records import Annotation, Sampled
from auralign.training.rounds.temporal import FUTURE, future_guided, guided
from auralign.types import Prompt

PROMPT = Prompt("p", "one", "ann")


def clip(code: int, n: int = 3) -> np.ndarray:
    return np.full((2, n), code)


def rows(*clips: np.ndarray) -> list[Sampled]:
    return [Sampled(PROMPT, codes, "policy") for codes in clips]


def test_a_better_clip_of_the_future_policy_is_chosen_against_the_same_rejected_one():
    pair = TokenPair(PROMPT, clip(1), clip(0), chosen_score=1.0, rejected_score=-1.0)
    better = guided(pair, [clip(2), clip(3)], np.array([1.5, np.nan]))
    assert better.chosen.tolist() == clip(2).tolist()
    assert (better.chosen_score, better.rejected_score) == (1.5, -1.0)
    assert better.rejected is pair.rejected


def test_a_future_policy_that_is_no_better_leaves_the_pairs_as_they_are():
    pair = TokenPair(PROMPT, clip(1), clip(0), chosen_score=1.0, rejected_score=-1.0)
    assert guided(pair, [clip(2), clip(3)], np.array([1.0, 0.5])) is pair


def test_pairs_without_scores_have_no_future():
    with pytest.raises(DataError, match="expected a pair with the scores of its clips"):
        guided(TokenPair(PROMPT, clip(1), clip(0)), [clip(2)], np.array([1.0]))


def test_both_trainings_start_from_the_policy_as_the_round_found_it(make_policy, tmp_path):
    policy = make_policy().trainable_copy()
    began, seen = [], []

    def train(examples, context):
        began.append(policy.weights_hash())
        seen.append([pair.chosen_score for pair in examples])
        with torch.no_grad():
            next(policy.model.parameters()).add_(1.0)
        return {}

    def length(prompts, tokens):
        return np.array([10.0 + t.shape[1] for t in tokens])

    context = _context(policy, policy, tmp_path)
    pairs = [TokenPair(PROMPT, clip(1), clip(0), chosen_score=1.0, rejected_score=-1.0)]
    future_guided(train, length, n=2)(pairs, context)
    assert began[0] == began[1] != policy.weights_hash()
    assert seen[0] == [1.0]
    assert seen[1][0] > 10
    (stored,) = read_examples(tmp_path / FUTURE)
    assert stored.chosen_score == seen[1][0]


def _context(policy, first, folder, number=1, before=None):
    return RoundContext(number, 0, policy, first, first, folder, before)


def reward_of_code(prompts, tokens):
    return np.array([float(t[0, 0]) for t in tokens])


@pytest.mark.parametrize(
    ("ranked", "value", "place"),
    [
        ([3, 2, 1], 5, 0),
        ([3, 2, 1], 2.5, 1),
        ([3, 2, 1], 0, 3),
        ([], 1, 0),
        ([1, 3, 2], 2.5, 0),  # above all (against 3) or third (against 1): the higher of equals
    ],
)
def test_a_clip_goes_where_its_reward_contradicts_the_fewest(ranked, value, place):
    assert insertion_place(ranked, value) == place


@given(st.permutations(range(5)), st.integers(0, 3), st.integers(6, 9))
def test_clips_that_were_ranked_keep_their_order(candidates_of, order, first, second):
    gallery = [TokenList(PROMPT, tuple(clip(code) for code in order))]
    new = candidates_of(rows(clip(first + 10), clip(second + 10)))
    (grown,) = grow(gallery, new, reward_of_code)
    codes = [int(c[0, 0]) for c in grown.clips]
    assert [c for c in codes if c < 10] == list(order)
    assert sorted(codes) == sorted([*order, first + 10, second + 10])


def test_a_prompt_that_the_gallery_does_not_have_is_named(candidates_of):
    gallery = [TokenList(Prompt("other", "two"), (clip(1), clip(0)))]
    with pytest.raises(DataError, match="expected candidates for prompts of the gallery, got 'p'"):
        grow(gallery, candidates_of(rows(clip(2), clip(3))), reward_of_code)


def test_the_reward_of_a_round_has_seen_the_clips_of_that_round_and_of_those_before(
    candidates_of, tmp_path
):
    fitted = []

    def refit(lists):
        fitted.append([int(c[0, 0]) for c in lists[0].clips])
        return reward_of_code

    annotate = ask_refitted_reward([TokenList(PROMPT, (clip(3), clip(1)))], refit, name="r")
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, (folder, code) in enumerate(zip(folders, (2, 0), strict=True), start=1):
        folder.mkdir()
        before = folders[0] if number == 2 else None
        context = _context(None, None, folder, number, before)
        votes = annotate(candidates_of(rows(clip(code), clip(code + 4))), context)
        assert [s.value for s in votes.scores] == [code, code + 4]
        assert (folder / GALLERY).exists()
    assert fitted == [[3, 1], [6, 3, 2, 1], [6, 3, 2, 1], [6, 4, 3, 2, 1, 0]]


def test_without_extrapolation_the_log_probabilities_are_the_policys_own(make_policy):
    policy, first = make_policy(seed=1), make_policy(seed=0)
    prompts, tokens = [PROMPT] * 3, [clip(0), clip(1, 5), clip(2, 8)]
    own = extrapolated_logps(policy, first, prompts, tokens, 0.0)
    np.testing.assert_allclose(own, policy.sequence_logps(prompts, tokens), rtol=1e-5)


def test_extrapolation_is_a_geometric_mixture_of_each_code():
    """p^1.5 q^-0.5, normalised, for p = (.8, .2) and q = (.5, .5); an impossible code stays so."""

    def policy(*p):
        logits = torch.tensor(p).log()[None, None, None].expand(1, 1, 1, 3)

        def of(prompts, tokens):
            drawn = torch.from_numpy(np.stack(tokens))
            return logits, drawn, torch.ones(1, 1, 1, dtype=torch.bool)

        return SimpleNamespace(logits=of)

    found = extrapolated_logps(
        policy(0.8, 0.2, 0.0), policy(0.5, 0.5, 0.0), [PROMPT], [np.array([[0]])], 0.5
    )
    a, b = 0.8**1.5 * 0.5**-0.5, 0.2**1.5 * 0.5**-0.5
    assert found[0] == pytest.approx(math.log(a / (a + b)), abs=1e-6)


def test_the_least_sure_tenth_is_noisy():
    p = np.linspace(0.5, 0.99, 20)[::-1]
    assert np.nonzero(least_confident(p, 0.1))[0].tolist() == [18, 19]
    assert not least_confident(p[:9], 0.1).any()


def test_the_policy_labels_what_it_has_come_to_prefer(candidates_of, make_policy, tmp_path):
    policy, first = make_policy(seed=1), make_policy(seed=0)
    candidates = candidates_of(rows(*[clip(code) for code in range(4)]))
    asked = candidates.asked(candidates.clips)
    ratio = policy.sequence_logps(*asked) - first.sequence_logps(*asked)
    context = _context(policy, first, tmp_path, number=2)
    (pair,) = self_labelled(candidates, Annotation(), context, noisy_share=1.0)
    assert pair.chosen == candidates.clips[int(ratio.argmax())].id
    assert pair.rejected == candidates.clips[int(ratio.argmin())].id
    assert (pair.p_chosen, pair.rule, pair.n_votes) == (0.9, "self_labelled", 0)


def test_a_policy_that_has_learnt_nothing_can_label_nothing(candidates_of, make_policy, tmp_path):
    policy = make_policy()
    context = _context(policy, policy.frozen_copy(), tmp_path)
    with pytest.raises(DataError, match="collect a seed of votes in round 1"):
        self_labelled(candidates_of(rows(clip(0), clip(1))), Annotation(), context)


def test_only_the_first_round_is_judged():
    annotate = ask_in_first_round(lambda candidates, context: Annotation(judgements=("votes",)))
    assert annotate(None, SimpleNamespace(number=1)).judgements
    assert not annotate(None, SimpleNamespace(number=2)).judgements
