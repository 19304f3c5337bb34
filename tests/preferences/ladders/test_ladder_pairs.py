from collections import Counter

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.preferences.ladders import (
    OPERATIONS,
    build_ladder,
    cap_synthetic,
    ladder_judgements,
    ladder_pairs,
)
from auralign.preferences.pairs import pairs_from_votes
from auralign.types import PreferencePair, Source, Split

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ladder(voice):
    return build_ladder(voice, OPERATIONS["noise/white"], seed=1)


def test_pairs_follow_the_order_on_their_own_dimension(ladder):
    rung = {r.clip_id: i for i, r in enumerate(ladder.rungs)}
    pairs = ladder_pairs(ladder)
    assert len(pairs) == 6
    for pair in pairs:
        assert rung[pair.rejected] - rung[pair.chosen] >= 2
        assert (pair.rule, pair.dimension) == ("ladder:noise/white", "production_quality")
        assert (pair.p_chosen, pair.n_votes, pair.split) == (1.0, 0, Split.TRAIN)


def test_weak_pairs_are_asked_for_and_named(ladder):
    rules = Counter(pair.rule for pair in ladder_pairs(ladder, weak=True))
    assert rules == {"ladder:noise/white": 6, "ladder:noise/white:weak": 4}


@pytest.mark.parametrize("weak", [False, True])
def test_judgements_say_the_same_as_pairs(ladder, weak):
    judgements = ladder_judgements(ladder, rng=np.random.default_rng(0), weak=weak)
    voted = pairs_from_votes(
        judgements, {ladder.prompt.id: ladder.prompt}, dimension="production_quality"
    )
    said = {(pair.chosen, pair.rejected) for pair in voted}
    assert said == {(pair.chosen, pair.rejected) for pair in ladder_pairs(ladder, weak=weak)}
    assert {j.source for j in judgements} == {Source.SYNTHETIC}
    assert len({j.trial for j in judgements}) == len(judgements)


def test_sides_are_drawn_by_a_coin(ladder):
    """The better clip is A in about half of 600 trials: 5 standard deviations are 61."""
    rng = np.random.default_rng(0)
    outcomes = [j.outcome for _ in range(100) for j in ladder_judgements(ladder, rng=rng)]
    assert abs(outcomes.count("A") - 300) < 61


def pair(i: int, rule: str, split: Split = Split.TRAIN) -> PreferencePair:
    return PreferencePair("p", f"c{i}", f"r{i}", 1.0, 1.0, "production_quality", 0, rule, split)


HUMAN = [pair(i, "vote_share") for i in range(30)] + [pair(99, "vote_share", Split.TEST)]
SYNTHETIC = [pair(i, "ladder:noise/white") for i in range(100)] + [
    pair(i, "ladder:words/deleted") for i in range(100, 120)
]


@pytest.mark.parametrize(("share", "n"), [(0.0, 0), (0.25, 10), (0.5, 30), (0.9, 120)])
def test_synthetic_pairs_make_up_at_most_their_share(share, n):
    kept = cap_synthetic(SYNTHETIC, HUMAN, max_share=share, rng=np.random.default_rng(0))
    assert len(kept) == n
    assert len(kept) / (len(kept) + 30) <= share + 1e-9


def test_rules_have_an_equal_say_while_they_last():
    kept = cap_synthetic(SYNTHETIC, HUMAN, max_share=0.5, rng=np.random.default_rng(0))
    assert Counter(p.rule for p in kept) == {"ladder:noise/white": 15, "ladder:words/deleted": 15}
    assert kept == sorted(kept, key=SYNTHETIC.index)


def test_held_out_synthetic_pairs_are_not_trained_on():
    held_out = [pair(i, "ladder:noise/white", Split.TEST) for i in range(5)]
    assert cap_synthetic(held_out, HUMAN, max_share=0.5, rng=np.random.default_rng(0)) == []


def test_without_held_out_human_pairs_there_is_no_capping():
    with pytest.raises(DataError, match="human pairs of the test split, got none"):
        cap_synthetic(SYNTHETIC, HUMAN[:-1], max_share=0.5, rng=np.random.default_rng(0))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_an_error(share):
    with pytest.raises(ConfigError, match="from 0 to below 1"):
        cap_synthetic(SYNTHETIC, HUMAN, max_share=share, rng=np.random.default_rng(0))
