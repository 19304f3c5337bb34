from itertools import combinations

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.agreement import pairwise_agreement


def rng():
    return np.random.default_rng(5)


def test_agreement_counts_pairs_of_raters_whatever_the_order_of_presentation(pair):
    judgements = [
        pair("a", "b", "A", rater="x"),
        pair("b", "a", "B", rater="y"),
        pair("a", "b", "B", rater="z"),
        pair("c", "d", "A", rater="x", prompt="p2"),
        pair("d", "c", "B", rater="y", prompt="p2"),
    ]
    # p1: x and y agree, z differs from both (1 of 3); p2: 1 of 1.
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert (e.value, e.n, e.n_clusters) == (2 / 4, 4, 2)


def test_ties_are_set_aside_and_the_coverage_is_reported(pair):
    judgements = [
        pair(f"a{p}", f"b{p}", answer, rater=rater, prompt=p)
        for p in ("p1", "p2")
        for rater, answer in (("x", "A"), ("y", "A"), ("z", "TIE"), ("w", "SKIP"))
    ]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert e.value == 1
    assert "both decisive (2 of 6 pairs)" in e.method


def test_a_rater_is_not_compared_with_herself(pair):
    judgements = [
        pair("a", "b", "A", rater="x", prompt=p) for p in ("p1", "p1", "p2") for _ in range(2)
    ] + [pair("a", "b", "B", rater="y", prompt=p) for p in ("p1", "p2")]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert (e.value, e.n) == (0.0, 4 + 2)


def test_catch_trials_of_a_clip_with_itself_are_no_answers(pair):
    judgements = [
        pair("a", "b", "A", rater=rater, prompt=p) for rater in "xy" for p in ("p1", "p2")
    ]
    catch = [pair("a", "a", answer, rater=rater) for rater, answer in (("x", "A"), ("y", "B"))]
    e = pairwise_agreement(judgements + catch, "overall", rng=rng())
    assert (e.value, e.n) == (1.0, 2)


def test_swapping_presentation_leaves_agreement_as_it_was(pair):
    generator = np.random.default_rng(2)
    judgements = [
        pair("a", "b", generator.choice(["A", "B", "TIE"]), rater=f"r{r}", prompt=f"p{p}")
        for r in range(5)
        for p in range(8)
    ]
    swapped = [j.swap() if generator.random() < 0.5 else j for j in judgements]
    straight = pairwise_agreement(judgements, "overall", rng=rng())
    assert pairwise_agreement(swapped, "overall", rng=rng()) == straight


def test_agreement_equals_the_loop_over_pairs_of_judgements(pair):
    generator = np.random.default_rng(4)
    judgements = [
        pair("a", "b", generator.choice(["A", "B"]), rater=f"r{generator.integers(4)}", prompt=p)
        for p in ("p1", "p2", "p3")
        for _ in range(9)
    ]
    pairs = [
        (j, k)
        for j, k in combinations(judgements, 2)
        if j.prompt_id == k.prompt_id and j.rater != k.rater
    ]
    e = pairwise_agreement(judgements, "overall", rng=rng())
    assert e.n == len(pairs)
    assert e.value == pytest.approx(np.mean([j.outcome == k.outcome for j, k in pairs]))


def test_agreement_needs_two_raters_of_one_pair(pair):
    with pytest.raises(DataError, match="decisively by two different raters"):
        pairwise_agreement([pair("a", "b", "A"), pair("a", "c", "A")], "overall", rng=rng())
