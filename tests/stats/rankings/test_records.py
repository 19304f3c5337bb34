import pytest

from auralign.errors import DataError
from auralign.stats.rankings import best_worst_from, rankings_from, rankings_of
from auralign.types import Candidate, Judgement, Source, TrialProtocol


def judgement(clips, ranking, rater="ann", protocol=TrialProtocol.RANKING, dimension="overall"):
    return Judgement(
        trial="t1",
        protocol=protocol,
        dimension=dimension,
        prompt_id="p1",
        candidates=tuple(Candidate(clip) for clip in clips),
        rater=rater,
        source=Source.HUMAN,
        ranking=ranking,
    )


def test_rankings_hold_the_place_of_each_candidate_as_presented():
    found = rankings_from([judgement("cab", (1, 2, 0)), judgement("ab", (1, 0), "bob")], "overall")
    assert found.items == ("a", "b", "c")
    assert found.candidates.tolist() == [[2, 0, 1], [0, 1, -1]]
    assert found.place.tolist() == [[3, 1, 2], [2, 1, 0]]
    assert (found.rater.tolist(), found.raters) == ([0, 1], ("ann", "bob"))


def test_a_ranking_of_the_top_k_leaves_the_others_unplaced():
    assert rankings_from([judgement("abc", (2,))], "overall").place.tolist() == [[0, 0, 1]]


def test_items_can_be_systems():
    found = rankings_from([judgement(["x/1", "y/1"], (0, 1))], "overall", item_of=lambda c: c[0])
    assert found.items == ("x", "y")


def test_swapped_judgements_give_the_same_places():
    there = judgement("abc", (1, 2, 0))
    found = rankings_from([there, there.swap()], "overall")
    by_item = [
        dict(zip(c, p, strict=True)) for c, p in zip(found.candidates, found.place, strict=True)
    ]
    assert by_item[0] == by_item[1]


def test_best_and_worst_are_columns():
    found = best_worst_from(
        [judgement("cab", (2, 0), protocol=TrialProtocol.BEST_WORST)], "overall"
    )
    assert (found.best.tolist(), found.worst.tolist()) == ([2], [0])
    assert found.candidates.tolist() == [[2, 0, 1]]


@pytest.mark.parametrize("ranking", [None, (), (0, 0), (0, 3), (-1, 0)])
def test_broken_rankings_are_refused(ranking):
    with pytest.raises(DataError, match="trial 't1' by 'ann': expected a ranking"):
        rankings_from([judgement("abc", ranking)], "overall")


def test_best_worst_needs_two_names_and_the_dimension_must_exist():
    three = judgement("abc", (0, 1, 2), protocol=TrialProtocol.BEST_WORST)
    with pytest.raises(DataError, match="names the best and the worst, got 3"):
        best_worst_from([three], "overall")
    with pytest.raises(DataError, match="found none"):
        rankings_from([three], "overall")


def test_a_table_of_places_becomes_rows_best_first():
    found = rankings_of([[2, 0, 1], [1, 1, 2]], ["a", "b", "c"], weight=[1, 2], rater=["z", "y"])
    assert found.candidates.tolist() == [[2, 0, -1], [0, 1, 2]]
    assert found.place.tolist() == [[1, 2, 0], [1, 1, 2]]
    assert (found.rater.tolist(), found.raters) == ([1, 0], ("y", "z"))
    assert found.weight.tolist() == [1, 2]


@pytest.mark.parametrize("places", [[[1, 2]], [[1, -1, 2]], [[1.5, 1, 2]], [1, 2, 3]])
def test_tables_that_are_not_places_are_refused(places):
    with pytest.raises(DataError, match="places must be"):
        rankings_of(places, ["a", "b", "c"])
