"""Rounds are made of what they say, go on at every step, and keep the best."""

import json

import pytest

from auralign.data.example_files import write_examples
from auralign.data.examples import TokenPair
from auralign.data.study import StudyFolder
from auralign.data.validate import validate_study
from auralign.errors import DataError, RunStateError
from auralign.preferences.token_examples import token_examples
from auralign.training.rounds import (
    CURATIONS,
    HeldOut,
    RoundSettings,
    ask_people,
    held_out_table,
    read_rounds,
    train_on_pairs,
)
from auralign.training.rounds.annotators import P_FIRST, ask_judge
from auralign.training.rounds.context import WaitingForVotes
from auralign.training.rounds.folder import RoundFolder, pairs_in
from auralign.training.rounds.records import Sampled, candidates_hash, hash_of
from auralign.training.settings import TrainerSettings
from auralign.types import Candidate, Judgement, Outcome, Source, TrialProtocol

pytestmark = pytest.mark.slow

STEPS = ("generate", "annotate", "curate", "train", "evaluate")
TWO = RoundSettings(n_rounds=2, patience=None)


class Killed(Exception):
    pass


@pytest.fixture
def unbroken(run, tmp_path):
    return run(tmp_path / "unbroken")


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_rounds_that_were_stopped_at_a_step_give_those_of_unbroken_ones(
    run, unbroken, tmp_path, number, step
):
    def stop(at: int, begins: str) -> None:
        if (at, begins) == (number, step):
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "killed", watch=stop)
    again = run(tmp_path / "killed")
    assert [r.hash for r in again.rounds] == [r.hash for r in unbroken.rounds]
    assert (again.best, again.stopped) == (unbroken.best, unbroken.stopped)


def test_a_training_that_was_killed_half_way_goes_on_to_the_same_weights(run, tmp_path):
    settings = TrainerSettings(learning_rate=3e-3, n_epochs=3, batch_size=4, warmup_steps=0)
    evaluations = []

    def killed_at_the_second(context):
        def guard(measures):
            evaluations.append(measures["epoch"])
            if len(evaluations) == 2:
                raise Killed

        return guard

    one = RoundSettings(n_rounds=1)
    unbroken = run(tmp_path / "unbroken", one, train=train_on_pairs(settings))
    train = train_on_pairs(settings, guard=killed_at_the_second)
    with pytest.raises(Killed):
        run(tmp_path / "killed", one, train=train)
    again = run(tmp_path / "killed", one, train=train)
    assert evaluations == [1, 2, 2, 3]  # the first epoch was not done again
    assert again.rounds == unbroken.rounds


def test_what_a_killed_process_left_half_written_is_passed_over(run, unbroken, tmp_path):
    for step in ("candidates", "votes", "policy"):
        (tmp_path / "killed" / "round-01" / f".{step}.0a1b2c3d.tmp").mkdir(parents=True)
    assert run(tmp_path / "killed").rounds == unbroken.rounds


def test_a_round_says_what_it_was_made_of(run, tmp_path):
    first, second = run(tmp_path).rounds
    stored = RoundFolder(tmp_path, 2)
    assert second.parent == first.hash
    assert (first.start, second.start) == (first.reference, first.policy)
    assert second.candidates == candidates_hash(stored.candidates())
    assert second.votes == hash_of(stored.votes())
    assert second.counts["n_pairs"] == len(stored.pairs()) == len(stored.examples())
    assert read_rounds(tmp_path) == [first, second]


def test_what_is_changed_in_a_round_changes_the_hash_of_all_after_it(run, tmp_path):
    plain = run(tmp_path / "a").rounds
    other = run(tmp_path / "b", names={"annotator": "another"}).rounds
    assert [r.candidates for r in plain] == [r.candidates for r in other]
    assert not {r.hash for r in plain} & {r.hash for r in other}


def test_a_record_that_was_edited_is_refused(run, tmp_path):
    run(tmp_path)
    path = tmp_path / "round-01" / "round.json"
    record = json.loads(path.read_text())
    record["held_out"]["preference"] = 0.99
    path.write_text(json.dumps(record))
    with pytest.raises(RunStateError, match="does not have its own hash"):
        read_rounds(tmp_path)


def test_a_round_of_other_parents_is_refused(run, tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b", seed=1)
    (tmp_path / "b/round-01/round.json").replace(tmp_path / "a/round-01/round.json")
    with pytest.raises(RunStateError, match="an earlier round was made anew"):
        run(tmp_path / "a")


def test_rounds_of_another_policy_or_method_are_not_gone_on_with(run, make_policy, tmp_path):
    run(tmp_path)
    with pytest.raises(RunStateError, match=r"\(policy differ\)"):
        run(tmp_path, policy=make_policy(seed=1).trainable_copy())
    with pytest.raises(RunStateError, match=r"\(names differ\)"):
        run(tmp_path, names={})


def test_more_rounds_go_on_from_those_that_are_there(run, tmp_path):
    two = run(tmp_path / "a").rounds
    three = run(tmp_path / "a", RoundSettings(n_rounds=3, patience=None)).rounds
    at_once = run(tmp_path / "b", RoundSettings(n_rounds=3, patience=None)).rounds
    assert three[:2] == two
    assert three == at_once


def test_training_moves_the_policy_where_the_reward_points(run, tmp_path):
    result = run(tmp_path, RoundSettings(n_rounds=3, patience=None))
    assert result.rounds[result.best - 1].held_out.preference > 0.55


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_the_policy_gets_the_weights_of_the_best_round_not_the_last(
    run, make_policy, tmp_path, kept
):
    policy = make_policy().trainable_copy()
    before = policy.weights_hash()
    preference = {1: 0.4, 2: 0.4, kept: 0.7}

    def evaluate(context):
        return HeldOut(preference[context.number], 0.01, 4)

    result = run(tmp_path, policy=policy, evaluate=evaluate)
    assert result.best == kept
    assert policy.weights_hash() == [before, *(r.policy for r in result.rounds)][kept]


def test_rounds_end_when_listeners_no_longer_hear_a_rise(run, tmp_path):
    def evaluate(context):
        return HeldOut({1: 0.6, 2: 0.605, 3: 0.59}[context.number], 0.02, 4)

    result = run(tmp_path, RoundSettings(n_rounds=9, patience=2), evaluate=evaluate)
    assert len(result.rounds) == 3
    assert result.best == 2
    assert "has not risen by more than its standard error for 2 rounds" in str(result.stopped)


@pytest.mark.parametrize("reference", ["first", "round_start"])
def test_the_reference_stays_or_moves_to_the_start_of_the_round(run, tmp_path, reference):
    settings = RoundSettings(n_rounds=2, patience=None, reference=reference)
    first, second = run(tmp_path, settings).rounds
    assert second.reference == (first.start if reference == "first" else second.start)
    assert first.start != second.start


def test_pairs_of_earlier_rounds_are_trained_on_only_where_asked(run, tmp_path):
    fresh = run(tmp_path / "fresh", TWO).rounds
    reused = run(tmp_path / "reused", TWO.model_copy(update={"reuse_pairs": True})).rounds
    assert [r.counts["n_reused"] for r in fresh] == [0, 0]
    assert reused[1].counts["n_reused"] == reused[0].counts["n_pairs"] > 0
    n = sum(r.counts["n_pairs"] for r in reused)
    assert len(RoundFolder(tmp_path / "reused", 2).examples()) == n


def test_a_pair_that_comes_up_again_is_not_trained_on_again(run, methods, tmp_path):
    def same_clips(prompts, context):
        if context.number == 1:
            return methods.draw(prompts, context)
        before = RoundFolder(context.folder.parent, 1).candidates()
        return [
            Sampled(before.prompts[c.prompt_id], before.tokens[c.id], "policy")
            for c in before.clips
        ]

    with pytest.raises(DataError, match="expected pairs to train on, got none"):
        run(tmp_path, draw=same_clips)


def test_clips_that_the_guard_found_hacked_are_rejected_in_the_next_round(run, methods, tmp_path):
    def hacked_training(examples, context):
        pair = examples[0]
        if context.number == 1:
            caught = TokenPair(pair.prompt, pair.chosen, pair.rejected[:, :1] * 0 + 3)
            write_examples([caught], context.folder / "hacked.jsonl")
        return methods.train(examples, context)

    first, second = run(tmp_path, train=hacked_training).rounds
    assert (first.counts["n_hacked"], second.counts["n_hacked"]) == (0, 1)
    (caught,) = pairs_in(tmp_path / "round-01" / "hacked.jsonl")
    trained = RoundFolder(tmp_path, 2).examples()
    assert any(pair.rejected.tolist() == caught.rejected.tolist() for pair in trained)


def _vote(candidates, names=("ann", "bob")):
    """People prefer the first of every two clips of a prompt."""
    for clips in candidates.by_prompt().values():
        for rater in names:
            yield Judgement(
                trial=f"{clips[0].id}-{rater}",
                protocol=TrialProtocol.PAIR,
                dimension="overall",
                prompt_id=clips[0].prompt_id,
                candidates=(Candidate(clips[0].id), Candidate(clips[1].id)),
                rater=rater,
                source=Source.HUMAN,
                outcome=Outcome.A,
            )


def test_a_round_waits_for_people_and_goes_on_when_they_have_voted(run, tmp_path):
    changes = {"annotate": ask_people(8), "curate": CURATIONS["vote_share"], "names": {}}
    with pytest.raises(WaitingForVotes, match=r"waiting for votes in .*round-01.*got 0"):
        run(tmp_path, **changes)
    folder = RoundFolder(tmp_path, 1)
    study = StudyFolder.open(tmp_path / "round-01/candidates/study")
    study.write_judgements(_vote(folder.candidates()))
    with pytest.raises(WaitingForVotes, match="round-02"):
        run(tmp_path, **changes)
    assert {p.p_chosen for p in folder.pairs()} == {1.0}
    assert {p.n_votes for p in folder.pairs()} == {2}
    study.write_judgements(())  # what was trained on is kept, whatever becomes of the study
    assert len(folder.votes().judgements) == 8
    assert len(read_rounds(tmp_path)) == 1


def test_the_study_of_a_round_is_one_that_other_commands_take(run, tmp_path):
    with pytest.raises(WaitingForVotes):
        run(tmp_path, annotate=ask_people(8))
    candidates = RoundFolder(tmp_path, 1).candidates()
    assert validate_study(candidates.study.path) == []
    candidates.study.write_judgements(_vote(candidates))
    archive = tmp_path / "round-01/candidates/tokens.npz"
    examples = token_examples(
        candidates.study.path, kind="votes", dimension="overall", tokens=archive
    )
    assert len(examples) == len(candidates.prompts)


def test_a_judge_is_asked_in_both_orders_so_that_its_side_bias_cancels(run, tmp_path):
    def first_is_better(prompts, first, second):
        return [0.8] * len(prompts)

    with pytest.raises(DataError, match="expected pairs to train on, got none"):
        run(tmp_path, annotate=ask_judge(first_is_better, name="biased"))
    votes = RoundFolder(tmp_path, 1).votes()
    assert {j.context[P_FIRST] for j in votes.judgements} == {"0.8"}


def test_the_table_has_a_row_for_each_round(run, tmp_path):
    rounds = run(tmp_path).rounds
    table = held_out_table(rounds)
    assert [row["round"] for row in table] == [1, 2]
    assert [row["held_out_preference"] for row in table] == [r.held_out.preference for r in rounds]


def test_a_folder_without_rounds_says_so(tmp_path):
    with pytest.raises(RunStateError, match=r"rounds\.json: expected a file of rounds"):
        read_rounds(tmp_path)
