"""Published ways to improve in rounds, each run for two: its pairs are those of its rule."""

import numpy as np
import pytest

from auralign.data.example_files import read_examples
from auralign.data.examples import TokenList
from auralign.training.rounds import (
    CURATIONS,
    RoundSettings,
    ask_judge,
    ask_reward,
    bradley_terry_judge,
    draw_from_policy,
    train_on_pairs,
)
from auralign.training.rounds.folder import RoundFolder
from auralign.training.rounds.gallery import GALLERY, ask_refitted_reward
from auralign.training.rounds.implicit import ask_in_first_round, self_labelled
from auralign.training.rounds.temporal import FUTURE, future_guided
from auralign.training.settings import TrainerSettings
from auralign.types import Prompt

pytestmark = pytest.mark.slow

TWO = RoundSettings(n_rounds=2, patience=None)
SPCE = TrainerSettings(objective="spce", learning_rate=3e-3, batch_size=4, warmup_steps=0)
DPO = SPCE.model_copy(update={"objective": "dpo"})


def ones(prompts, tokens):
    return np.array([5 * (codes == 1).mean() for codes in tokens])


JUDGE = ask_judge(bradley_terry_judge(ones), name="ones")


def rules(folder):
    return [{pair.rule for pair in RoundFolder(folder, number).pairs()} for number in (1, 2)]


def test_self_preferring_rounds_train_on_the_judges_probabilities(run, tmp_path):
    changes = {"annotate": JUDGE, "curate": CURATIONS["ranked_pairing"]}
    run(tmp_path, TWO, train=train_on_pairs(SPCE), **changes)
    assert rules(tmp_path) == [{"ranked_pairing"}] * 2
    assert all(0.5 < pair.p_chosen < 1 for pair in RoundFolder(tmp_path, 2).pairs())


def test_temporal_self_rewarding_rejects_the_past_and_chooses_the_future(run, tmp_path):
    run(
        tmp_path,
        TWO,
        draw=draw_from_policy(3, n_first=3),
        annotate=ask_reward(ones, name="ones"),
        curate=CURATIONS["anchored"],
        train=future_guided(train_on_pairs(DPO), ones, n=3),
    )
    assert rules(tmp_path) == [{"anchored"}] * 2
    for number in (1, 2):
        folder = RoundFolder(tmp_path, number)
        before, after = folder.examples(), read_examples(folder.path / FUTURE)
        assert all(a.chosen_score >= b.chosen_score for a, b in zip(after, before, strict=True))
        assert [a.rejected.tolist() for a in after] == [b.rejected.tolist() for b in before]


def test_a_seed_of_votes_is_spread_by_the_policys_own_labels(run, tmp_path):
    first, second = run(
        tmp_path,
        TWO,
        annotate=ask_in_first_round(JUDGE),
        curate=lambda *given: self_labelled(*given, noisy_share=0.5),
        train=train_on_pairs(SPCE),
    ).rounds
    assert rules(tmp_path) == [{"vote_share"}, {"self_labelled"}]
    assert first.counts["n_judgements"] > 0 == second.counts["n_judgements"]
    assert {pair.p_chosen for pair in RoundFolder(tmp_path, 2).pairs()} == {0.9, 1.0}


def test_policy_and_reward_are_refined_in_turn_on_a_growing_gallery(run, tmp_path):
    prompts = [Prompt("g0", "one", "ann"), Prompt("g1", "two", "ann")]
    gallery = [TokenList(p, (np.full((2, 3), 1), np.full((2, 3), 0))) for p in prompts]
    seen = []

    def refit(lists):
        seen.append(sum(len(one.clips) for one in lists))
        return ones

    run(
        tmp_path,
        TWO,
        prompts=lambda number: prompts,
        annotate=ask_refitted_reward(gallery, refit, name="gallery"),
    )
    sizes = [
        sum(len(one.clips) for one in read_examples(RoundFolder(tmp_path, n).path / GALLERY))
        for n in (1, 2)
    ]
    assert seen == [4, sizes[0], sizes[0], sizes[1]]
    assert 4 < sizes[0] < sizes[1]
