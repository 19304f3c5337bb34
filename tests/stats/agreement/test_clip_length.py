from dataclasses import replace

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.stats.agreement import agreement_by_clip_length, rating_agreement_by_clip_length
from auralign.stats.ratings import RatingTable
from auralign.types import Candidate


def rng():
    return np.random.default_rng(5)


@pytest.fixture
def two_lengths(pair):
    """Two raters agree on 4 s clips and split on 16 s clips."""
    answers = {"s1": "AA", "s2": "BB", "l1": "AB", "l2": "AA", "l3": "BA", "l4": "BA"}
    return [
        pair(f"{prompt}a", f"{prompt}b", answer, rater=f"r{k}", prompt=prompt)
        for prompt, given in answers.items()
        for k, answer in enumerate(given)
    ]


def durations(judgements):
    return {
        c.clip_id: 4.0 if c.clip_id.startswith("s") else 16.0
        for j in judgements
        for c in j.candidates
    }


def test_agreement_in_bins_and_its_slope(two_lengths):
    result = agreement_by_clip_length(
        two_lengths, "overall", durations(two_lengths), edges_s=[1, 10, 20], rng=rng()
    )
    assert [(b.low_s, b.high_s, b.agreement.value) for b in result.bins] == [
        (1, 10, 1.0),
        (10, 20, 0.25),
    ]
    # From 1 to 1/4 over the two doublings from 4 s to 16 s.
    assert result.slope_per_doubling.value == pytest.approx(-0.375)
    assert result.slope_per_doubling.high < 0


def test_a_segment_is_as_long_as_it_was_presented(two_lengths):
    cut = [
        replace(j, candidates=tuple(Candidate(c.clip_id, (1.0, 5.0)) for c in j.candidates))
        if j.prompt_id in ("l1", "l2")
        else j
        for j in two_lengths
    ]
    result = agreement_by_clip_length(
        cut, "overall", durations(two_lengths), edges_s=[1, 10, 20], rng=rng()
    )
    assert [b.agreement.value for b in result.bins] == [0.75, 0]


def test_bins_are_quartiles_where_no_edges_are_given(pair):
    judgements = [
        pair(f"a{p}", f"b{p}", "A", rater=rater, prompt=f"p{p}") for p in range(9) for rater in "xy"
    ]
    seconds = {f"{side}{p}": p + 1.0 for p in range(9) for side in "ab"}
    result = agreement_by_clip_length(judgements, "overall", seconds, rng=rng())
    assert [(b.low_s, b.high_s) for b in result.bins] == [(1, 3), (3, 5), (5, 7), (7, 9)]
    assert sum(b.agreement.n for b in result.bins) == 9
    assert result.slope_per_doubling.value == pytest.approx(0)


def test_ratings_agree_by_their_distance_on_the_scale():
    table = RatingTable(
        ("x", "y", "z"), ("a", "b", "c"), np.array([[1, 2, 5], [1, 4, 1], [5, np.nan, 3.0]])
    )
    result = rating_agreement_by_clip_length(
        table, (1, 5), {"a": 1.0, "b": 2.0, "c": 4.0}, edges_s=[0.5, 1.5, 3, 5], rng=rng()
    )
    shares = [1 - (0 + 4 + 4) / 3 / 4, 1 - 2 / 4, 1 - (4 + 2 + 2) / 3 / 4]
    assert [b.agreement.value for b in result.bins] == pytest.approx(shares)
    assert [b.agreement.n for b in result.bins] == [3, 1, 3]


def test_bad_input_is_named(two_lengths):
    seconds = durations(two_lengths)
    without = {clip: length for clip, length in seconds.items() if clip != "s1a"}
    with pytest.raises(DataError, match="length of clip 's1a' in seconds, got none"):
        agreement_by_clip_length(two_lengths, "overall", without, rng=rng())
    with pytest.raises(ConfigError, match="two ascending lengths"):
        agreement_by_clip_length(two_lengths, "overall", seconds, edges_s=[3, 2], rng=rng())
    with pytest.raises(ConfigError, match="leave out a stimulus of 16 s"):
        agreement_by_clip_length(two_lengths, "overall", seconds, edges_s=[1, 8], rng=rng())
    with pytest.raises(DataError, match="stimuli of different lengths"):
        agreement_by_clip_length(two_lengths, "overall", dict.fromkeys(seconds, 3.0), rng=rng())
    with pytest.raises(ConfigError, match="scale must ascend"):
        rating_agreement_by_clip_length(
            RatingTable(("x",), ("a",), np.ones((1, 1))), (5, 1), {"a": 1.0}, rng=rng()
        )
