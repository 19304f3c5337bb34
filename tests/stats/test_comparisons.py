import numpy as np
import pytest

from auralign.errors import DataError
from auralign.stats.comparisons import comparisons_from, comparisons_of, outcome_counts
from auralign.types import Outcome


def test_outcomes_become_one_zero_and_a_half_and_skips_are_left_out(pair):
    judgements = [
        pair("a", "b", "A", rater="zoe"),
        pair("a", "b", "B", rater="ann"),
        pair("a", "c", "TIE_BAD", prompt="p2"),
        pair("a", "c", "SKIP", prompt="p3"),
    ]
    c = comparisons_from(judgements, "overall")
    assert (c.items, c.raters) == (("a", "b", "c"), ("ann", "zoe"))
    assert [c.items[k] for k in c.first] == ["a", "a", "a"]
    assert [c.items[k] for k in c.second] == ["b", "b", "c"]
    assert c.outcome.tolist() == [1.0, 0.0, 0.5]
    assert [c.raters[k] for k in c.rater] == ["zoe", "ann", "ann"]
    assert c.cluster.tolist() == [0, 0, 1]
    assert c.weight.tolist() == [1.0, 1.0, 1.0]


def test_a_swapped_judgement_is_the_same_comparison_seen_from_the_other_side(pair):
    judgements = [pair("a", "b", "A"), pair("b", "c", "TIE"), pair("c", "a", "B")]
    straight = comparisons_from(judgements, "overall")
    swapped = comparisons_from([j.swap() for j in judgements], "overall")
    np.testing.assert_array_equal(swapped.first, straight.second)
    np.testing.assert_array_equal(swapped.second, straight.first)
    np.testing.assert_array_equal(swapped.outcome, 1 - straight.outcome)


def test_ties_can_be_left_out(pair):
    judgements = [pair("a", "b", "A"), pair("a", "b", "TIE")]
    assert comparisons_from(judgements, "overall", include_ties=False).outcome.tolist() == [1.0]


def test_items_can_be_systems_and_comparisons_within_a_system_are_left_out(pair):
    system = {"clip1": "base", "clip2": "aligned", "clip3": "base"}
    judgements = [pair("clip1", "clip2", "B"), pair("clip1", "clip3", "A")]
    c = comparisons_from(judgements, "overall", item_of=system.__getitem__)
    assert c.items == ("aligned", "base")
    assert (c.first.tolist(), c.second.tolist()) == ([1], [0])


def test_only_pair_judgements_of_the_named_dimension_count(pair, rating):
    judgements = [
        pair("a", "b", "A"),
        pair("a", "c", "A", dimension="task_achievement"),
        rating("d", 3),
    ]
    assert comparisons_from(judgements, "overall").items == ("a", "b")


def test_outcome_counts_include_skips_and_kinds_of_tie(pair):
    answers = ["A", "SKIP", "SKIP", "TIE_GOOD"]
    counts = outcome_counts([pair("a", "b", answer) for answer in answers], "overall")
    assert (counts[Outcome.A], counts[Outcome.SKIP], counts[Outcome.TIE_GOOD]) == (1, 2, 1)
    assert (counts[Outcome.B], sum(counts.values())) == (0, 4)


def test_an_unknown_dimension_is_named_with_the_near_one(pair):
    with pytest.raises(DataError, match=r"'overal'.*did you mean 'overall'"):
        comparisons_from([pair("a", "b", "A")], "overal")


def test_nothing_usable_says_what_was_found(pair):
    judgements = [pair("a", "b", "SKIP"), pair("a", "b", "TIE"), pair("a", "a", "A")]
    with pytest.raises(DataError, match=r"among 3 pair judgements: 1 skips, 1 ties \(left out\)"):
        comparisons_from(judgements, "overall", include_ties=False)


def test_a_pair_judgement_without_an_outcome_is_named(pair):
    with pytest.raises(DataError, match=r"trial 'p1:a-b' by 'ann'.*got 2 and None"):
        comparisons_from([pair("a", "b", None)], "overall")


def test_plain_arrays_become_comparisons_of_one_rater_and_weight_one():
    c = comparisons_of([0, 2], [1, 0], [1, 0.5])
    assert c.items == ("0", "1", "2")
    assert (c.weight.tolist(), c.rater.tolist(), c.raters) == ([1, 1], [0, 0], ("0",))
    named = comparisons_of([0, 1], [1, 0], [1, 0], rater=[0, 3], items="ab", weight=[0.5, 2])
    assert (named.items, named.raters) == (("a", "b"), ("0", "1", "2", "3"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([0.0], [1.0], [1]), "arrays of indices from 0"),
        (([], [], []), "arrays of indices from 0"),
        (([0], [1], [2]), "comparison 0 has an outcome that is not 1, 0 or 0.5"),
        (([0], [1], [np.nan]), "comparison 0 has an outcome that is not 1, 0 or 0.5"),
        (([0, 0], [1], [1]), "must have one length"),
        (([-1], [1], [1]), "comparison 0 has an item index out of range"),
    ],
)
def test_broken_plain_arrays_are_refused(arrays, message):
    with pytest.raises(DataError, match=message):
        comparisons_of(*arrays)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_impossible_weights_are_refused(weight):
    with pytest.raises(DataError, match="comparison 1 has a weight that is negative or not finite"):
        comparisons_of([0, 0], [1, 1], [1, 0], weight=[1.0, weight])
