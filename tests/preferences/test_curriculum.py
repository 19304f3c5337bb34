from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auralign.errors import ConfigError
from auralign.preferences.curriculum import best_against_each, easiest_first
from auralign.types import PreferencePair, RankedList, Split


def ranked(prompt: str, *scores: float) -> RankedList:
    clips = tuple(f"{prompt}{i + 1}" for i in range(len(scores)))
    return RankedList(prompt, clips, scores, "overall", "mean_opinion", Split.VALIDATION)


def named(stages) -> list[list[tuple[str, str]]]:
    return [[(p.chosen, p.rejected) for p in stage] for stage in stages]


def test_the_largest_gap_comes_first():
    stages = best_against_each([ranked("a", 5, 4, 3, 2)])
    assert named(stages) == [[("a1", "a4")], [("a1", "a3")], [("a1", "a2")]]
    (first,) = stages[0]
    assert (first.rule, first.split, first.p_chosen) == (
        "best_against_each",
        Split.VALIDATION,
        1.0,
    )


def test_shorter_lists_end_earlier_and_clips_as_good_as_the_best_are_left_out():
    stages = best_against_each([ranked("a", 5, 4), ranked("b", 5, 5, 3, 1), ranked("c", 2, 2)])
    assert named(stages) == [[("a1", "a2"), ("b1", "b4")], [("b1", "b3")]]


@given(st.lists(st.floats(0, 5), min_size=1, max_size=12), st.data())
def test_easier_stages_have_larger_gaps_and_no_pair_is_lost(gaps, data):
    n_stages = data.draw(st.integers(1, len(gaps)))
    pairs = [
        PreferencePair("p", f"w{i}", f"l{i}", 1.0, 1.0, "overall", 0, "r", Split.TRAIN)
        for i in range(len(gaps))
    ]
    stages = easiest_first(pairs, gaps, n_stages=n_stages)
    assert sorted(chain(*stages), key=pairs.index) == pairs
    sizes = [len(s) for s in stages]
    assert max(sizes) - min(sizes) <= 1
    of_pair = {p.chosen: gap for p, gap in zip(pairs, gaps, strict=True)}
    in_order = [of_pair[p.chosen] for p in chain(*stages)]
    assert all(a >= b for a, b in pairwise(in_order))


@pytest.mark.parametrize(("n_gaps", "n_stages"), [(1, 1), (2, 0), (2, 3)])
def test_stages_and_gaps_must_fit_the_pairs(n_gaps, n_stages):
    pair = PreferencePair("p", "w", "l", 1.0, 1.0, "overall", 0, "r", Split.TRAIN)
    with pytest.raises(ConfigError, match="1 to 2 stages"):
        easiest_first([pair, pair], [1.0] * n_gaps, n_stages=n_stages)
