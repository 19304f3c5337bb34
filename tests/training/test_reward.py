import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from auralign.errors import DataError, NotConvergedError
from auralign.rewards.bradley_terry import SpeechFeatures
from auralign.signals.recognisers.ctc import CtcRecogniser
from auralign.training.reward import RewardSettings, train_reward, vote_accuracy
from auralign.types import PreferencePair, Split

SETTINGS = RewardSettings(n_epochs=30, batch_size=32, learning_rate=1e-2)
PLAIN = replace(SETTINGS, weight_decay=0.0, feature_dropout=0.0)
"""Without what keeps the head small, so that what it should learn is known exactly."""


@pytest.fixture(scope="module")
def no_features() -> SpeechFeatures:
    """The head is trained on the features that a test hands it; these only travel along."""
    return SpeechFeatures(CtcRecogniser(torch.nn.Identity(), "recurrent", ("one",)), ())


def pair(chosen: str, rejected: str, p_chosen: float = 1.0, weight: float = 1.0) -> PreferencePair:
    return PreferencePair(
        "p", chosen, rejected, p_chosen, weight, "overall", 3, "vote_share", Split.TRAIN
    )


def clips(n: int, seed: int) -> dict[str, np.ndarray]:
    """Four features each; listeners care about the first one only."""
    rows = np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)
    return {f"{seed}-{i}": 5 + 3 * row for i, row in enumerate(rows)}


def some_pairs(
    of: dict[str, np.ndarray], n: int, seed: int, min_gap: float = 0.5
) -> list[PreferencePair]:
    """Random pairs of clips whose first features differ, the higher one chosen."""
    rng, ids = np.random.default_rng(seed), sorted(of)
    pairs = []
    while len(pairs) < n:
        a, b = (ids[i] for i in rng.choice(len(ids), 2, replace=False))
        gap = of[a][0] - of[b][0]
        if abs(gap) > min_gap:
            pairs.append(pair(a, b) if gap > 0 else pair(b, a))
    return pairs


def train(features, of, pairs, validation, settings=SETTINGS, seed=0):
    log: list[dict[str, float]] = []
    reward = train_reward(
        features,
        of,
        pairs,
        validation,
        settings,
        generator=torch.Generator().manual_seed(seed),
        log=lambda epoch, values: log.append(values),
    )
    return reward, log


def test_on_separable_features_it_ranks_every_unseen_pair_that_clearly_differs(no_features):
    known, unseen = clips(60, seed=0), clips(40, seed=1)
    reward, _ = train(
        no_features,
        known,
        some_pairs(known, 150, seed=0),
        some_pairs(known, 40, seed=1),
    )
    score = dict(zip(unseen, reward.score_features(np.stack(list(unseen.values()))), strict=True))
    wide = some_pairs(unseen, 200, seed=2, min_gap=3.0)  # one standard deviation
    assert all(score[p.chosen] > score[p.rejected] for p in wide)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_the_difference_of_two_rewards_is_the_log_odds_of_the_votes(no_features, share):
    of = {"a": np.ones(2, dtype=np.float32), "b": np.zeros(2, dtype=np.float32)}
    pairs = [pair("a", "b", share)] * 32
    reward, _ = train(no_features, of, pairs, pairs, replace(PLAIN, n_epochs=120))
    a, b = reward.score_features(np.stack([of["a"], of["b"]]))
    assert a - b == pytest.approx(math.log(share / (1 - share)), abs=0.02)


def test_votes_that_contradict_each_other_meet_in_the_middle(no_features):
    of = {"a": np.ones(2, dtype=np.float32), "b": np.zeros(2, dtype=np.float32)}
    pairs = [pair("a", "b")] * 24 + [pair("b", "a")] * 8
    reward, _ = train(no_features, of, pairs, pairs, replace(PLAIN, n_epochs=120))
    a, b = reward.score_features(np.stack([of["a"], of["b"]]))
    assert a - b == pytest.approx(math.log(3), abs=0.02)


@pytest.mark.parametrize(("by_weight", "share"), [(False, 0.7), (True, 0.85)])
def test_pairs_count_alike_or_as_their_weight_says(no_features, by_weight, share):
    """0.9 and 0.5 meet half way, or at (7 * 0.9 + 0.5) / 8."""
    of = {"a": np.ones(2, dtype=np.float32), "b": np.zeros(2, dtype=np.float32)}
    settings = replace(PLAIN, n_epochs=150, by_weight=by_weight)
    pairs = [pair("a", "b", 0.9, weight=7.0), pair("a", "b", 0.5, weight=1.0)] * 16
    reward, log = train(no_features, of, pairs, pairs, settings)
    a, b = reward.score_features(np.stack([of["a"], of["b"]]))
    assert a - b == pytest.approx(math.log(share / (1 - share)), abs=0.02)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert log[-1]["validation_loss"] == pytest.approx(entropy, abs=1e-3)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, -1.0), (1.0, math.nan)])
def test_weights_that_make_no_sense_are_an_error(no_features, weights):
    of = {"a": np.ones(2, np.float32), "b": np.zeros(2, np.float32)}
    pairs = [pair("a", "b", weight=w) for w in weights]
    with pytest.raises(DataError, match="weights of pairs that are finite, 0 or above, not all 0"):
        train(no_features, of, pairs, pairs, replace(PLAIN, by_weight=True))


def test_clips_with_equal_features_get_equal_rewards_and_their_pairs_teach_nothing(no_features):
    twins = {"a": np.full(3, 2.0, np.float32), "b": np.full(3, 2.0, np.float32)}
    of = twins | {"c": np.zeros(3, np.float32)}
    reward, log = train(no_features, of, [pair("a", "b")] * 4, [pair("a", "b")], PLAIN)
    a, b = reward.score_features(np.stack([of["a"], of["b"]]))
    assert a == b
    assert log[-1]["validation_loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_the_weights_of_the_best_validation_loss_are_kept(no_features):
    """Validation wants the opposite of training, so that it is best before much is learned."""
    of = clips(30, seed=3)
    pairs = some_pairs(of, 60, seed=3)
    opposite = [pair(p.rejected, p.chosen) for p in pairs]
    reward, log = train(no_features, of, pairs, opposite)
    losses = [values["validation_loss"] for values in log]
    assert losses[-1] > min(losses) + 0.5
    assert reward.card["validation_loss"] == min(losses)
    scores = dict(zip(of, reward.score_features(np.stack(list(of.values()))), strict=True))
    margin = np.array([scores[p.chosen] - scores[p.rejected] for p in opposite])
    assert np.log1p(np.exp(-margin)).mean() == pytest.approx(min(losses), abs=1e-4)


def test_features_are_standardised_by_the_clips_that_it_was_trained_on(no_features):
    of = clips(20, seed=4)
    pairs = some_pairs(of, 20, seed=4)
    reward, _ = train(no_features, of, pairs, pairs, replace(SETTINGS, n_epochs=1))
    table = np.stack(list(of.values()))
    np.testing.assert_allclose(reward.centre, table.mean(0), rtol=1e-5)
    np.testing.assert_allclose(reward.spread, table.std(0, ddof=1) + 1e-3, rtol=1e-5)


def test_the_same_generator_trains_the_same_reward(no_features):
    of = clips(20, seed=5)
    pairs = some_pairs(of, 40, seed=5)
    table = np.stack(list(of.values()))
    one, same, other = (
        train(no_features, of, pairs, pairs, replace(SETTINGS, n_epochs=3), seed=seed)[
            0
        ].score_features(table)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(("n_train", "n_validation"), [(0, 1), (1, 0)])
def test_no_pairs_are_an_error(no_features, n_train, n_validation):
    of = {"a": np.ones(2, np.float32), "b": np.zeros(2, np.float32)}
    pairs = [pair("a", "b")]
    with pytest.raises(DataError, match=f"got {n_train} and {n_validation}: collect votes"):
        train(no_features, of, pairs * n_train, pairs * n_validation)


def test_features_that_are_not_finite_are_an_error(no_features):
    of = {"a": np.ones(2, np.float32), "b": np.full(2, np.nan, np.float32)}
    with pytest.raises(NotConvergedError, match=r"no epoch .* finite validation loss"):
        train(no_features, of, [pair("a", "b")], [pair("a", "b")])


def test_vote_accuracy_by_hand_with_equal_rewards_half_right():
    margin = np.array([1.5, -0.2, -3.0, 0.0, 0.0])
    first_won = np.array([True, True, False, True, False])
    assert vote_accuracy(margin, first_won) == (1 + 0 + 1 + 0.5 + 0.5) / 5


def test_exchanging_first_and_second_leaves_the_accuracy():
    rng = np.random.default_rng(0)
    margin, won = rng.integers(-2, 3, 50).astype(float), rng.random(50) < 0.5
    assert vote_accuracy(margin, won) == vote_accuracy(-margin, ~won)
