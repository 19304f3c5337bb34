"""The preference on held-out prompts: whose clips win, and how surely."""

from types import SimpleNamespace

import numpy as np
import pytest

from auralign.data.example_files import write_examples
from auralign.data.examples import TokenPair
from auralign.errors import DataError
from auralign.training.rounds import WaitingForVotes, ask_people, compare_with_first
from auralign.training.rounds.annotators import ask_judge_by_example
from auralign.training.rounds.context import RoundContext
from auralign.training.rounds.held_out import preferences
from auralign.training.rounds.records import Annotation, Sampled
from auralign.types import Candidate, Judgement, Outcome, Prompt, Source, TrialProtocol

PROMPTS = [Prompt(f"p{i}", "one", "ann") for i in range(3)]


def rows(*systems: str) -> list[Sampled]:
    """One clip of each system for each prompt."""
    return [
        Sampled(prompt, np.full((2, 2), code), system)
        for prompt in PROMPTS
        for code, system in enumerate(systems)
    ]


def vote(candidates, prompt_id, outcome, rater="ann") -> Judgement:
    """Whether the first policy (A) or the policy (B) is preferred."""
    first, policy = candidates.by_prompt()[prompt_id]
    return Judgement(
        trial=f"{prompt_id}-{rater}",
        protocol=TrialProtocol.PAIR,
        dimension="overall",
        prompt_id=prompt_id,
        candidates=(Candidate(first.id), Candidate(policy.id)),
        rater=rater,
        source=Source.HUMAN,
        outcome=outcome,
    )


def test_votes_count_for_the_system_whichever_side_it_stood_on(candidates_of):
    candidates = candidates_of(rows("first", "policy"))
    votes = [
        vote(candidates, "p0", Outcome.B),
        vote(candidates, "p0", Outcome.B, "bob").swap(),
        vote(candidates, "p1", Outcome.A),
        vote(candidates, "p1", Outcome.SKIP, "bob"),
        vote(candidates, "p2", Outcome.TIE_GOOD),
    ]
    assert preferences(candidates, Annotation(votes)) == {"p0": 1.0, "p1": 0.0, "p2": 0.5}


def test_prompts_on_which_both_policies_say_the_same_are_ties(candidates_of):
    candidates = candidates_of(rows("first"))
    assert preferences(candidates, Annotation()) == dict.fromkeys(("p0", "p1", "p2"), 0.5)


def test_a_prompt_that_nobody_answered_about_is_named(candidates_of):
    candidates = candidates_of(rows("first", "policy"))
    with pytest.raises(DataError, match="prompt 'p1': expected answers that compare a round"):
        preferences(candidates, Annotation([vote(candidates, "p0", Outcome.A)]))


def test_the_evaluation_waits_for_people_on_clips_that_stay_the_same(make_policy, tmp_path):
    policy, first = make_policy(seed=1), make_policy(seed=0)
    context = RoundContext(1, 0, policy, first, first, tmp_path, None)
    evaluate = compare_with_first(PROMPTS, ask_people(3))
    for _ in range(2):
        with pytest.raises(WaitingForVotes, match="held_out"):
            evaluate(context)
    assert {path.name for path in (tmp_path / "held_out").iterdir()} == {"study", "tokens.npz"}


def test_a_judge_by_example_is_shown_pairs_of_the_round_before(candidates_of, tmp_path):

    shown = []

    def judge(prompts, first, second, *, examples):
        shown.append([pair.prompt.id for pair in examples])
        return np.full(len(prompts), 0.5)

    pairs = [TokenPair(p, np.zeros((2, 2), int), np.ones((2, 2), int)) for p in PROMPTS]
    write_examples(pairs, tmp_path / "examples.parquet")
    annotate = ask_judge_by_example(judge, 2, name="j")
    for before in (None, tmp_path):
        context = SimpleNamespace(folder_before=before, rng=lambda _: np.random.default_rng(0))
        annotate(candidates_of(rows("policy", "policy")), context)
    assert shown[0] == []
    assert len(set(shown[1])) == 2
