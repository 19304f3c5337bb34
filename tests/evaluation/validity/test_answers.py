import numpy as np
import pytest

from auralign.errors import DataError
from auralign.evaluation.validity.answers import implied_pairs, study_answers
from auralign.types import Candidate, Judgement, Source, TrialProtocol

pytestmark = pytest.mark.slow


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def clips(of):
    return of.clips(3, 2, rng())


def ranked(ranking, protocol=TrialProtocol.RANKING, n=4):
    names = tuple(Candidate(f"c{k}") for k in range(n))
    return Judgement("t", protocol, "overall", "p", names, "r", Source.HUMAN, ranking=ranking)


def implied(judgement):
    return {tuple(c.clip_id for c in j.candidates) for j in implied_pairs(judgement)}


def test_a_ranking_implies_every_order_and_the_unplaced_are_below():
    assert implied(ranked((2, 0, 1), n=3)) == {("c2", "c0"), ("c2", "c1"), ("c0", "c1")}
    top = implied(ranked((3,)))
    assert top == {("c3", "c0"), ("c3", "c1"), ("c3", "c2")}


def test_best_and_worst_imply_nothing_of_those_between():
    found = implied(ranked((1, 3), TrialProtocol.BEST_WORST))
    assert found == {("c1", "c0"), ("c1", "c2"), ("c1", "c3"), ("c0", "c3"), ("c2", "c3")}


def test_ratings_become_pairs_of_one_prompt_by_their_means(of, clips, tmp_path):
    given = {clips[0]: (3, 5), clips[1]: (4, 4), clips[2]: (1, 2), clips[3]: (2,), clips[4]: (5,)}
    judgements = [
        of.rating(clip, float(v), f"r{k}")
        for clip, all_ in given.items()
        for k, v in enumerate(all_)
    ]
    of.study(tmp_path / "s", clips, judgements)
    found = study_answers(tmp_path / "s", rng=rng())
    names = found.pairs.items
    told = {
        (names[a], names[b]): outcome
        for a, b, outcome in zip(
            found.pairs.first, found.pairs.second, found.pairs.outcome, strict=True
        )
    }
    ids = [clip.id for clip in clips]
    assert told == {
        (ids[0], ids[1]): 0.5,
        (ids[0], ids[2]): 1,
        (ids[1], ids[2]): 1,
        (ids[3], ids[4]): 0,
    }
    np.testing.assert_allclose(found.ratings, [4, 4, 1.5, 2, 5])
    np.testing.assert_allclose(found.margin, [0, 2.5, 2.5, 3])
    assert found.within_prompts


def test_ratings_of_prompts_with_one_clip_are_paired_across_prompts(of, tmp_path):
    clips = of.clips(1, 4, rng())
    of.study(tmp_path / "s", clips, [of.rating(c, float(k), "r") for k, c in enumerate(clips)])
    found = study_answers(tmp_path / "s", rng=rng())
    assert len(found.pairs.first) == 6
    assert not found.within_prompts


def test_the_margin_of_votes_is_how_far_they_are_from_divided(of, clips, tmp_path):
    a, b, c = clips[:3]
    votes = [of.vote(a, b, 1, "r0"), of.vote(b, a, 1, "r1"), of.vote(a, c, 1, "r0")]
    of.study(tmp_path / "s", clips, votes)
    found = study_answers(tmp_path / "s", rng=rng())
    by_trial = dict(zip(map(str, found.pairs.second), found.margin, strict=True))
    assert sorted(found.margin) == [0, 0, 1]
    assert by_trial[str(found.pairs.items.index(c.id))] == 1


def test_what_signals_say_is_no_answer(of, clips, tmp_path):
    metric = [of.rating(c, 1.0, "stoi@1", source=Source.METRIC) for c in clips]
    of.study(tmp_path / "metrics", clips, metric)
    with pytest.raises(DataError, match="all 6 judgements on 'overall' are a metric's"):
        study_answers(tmp_path / "metrics", "overall", rng=rng())
    both = [of.rating(c, float(k), "ann", source=Source.HUMAN) for k, c in enumerate(clips)]
    of.study(tmp_path / "both", clips, [*metric, *both])
    found = study_answers(tmp_path / "both", rng=rng())
    assert {j.rater for j in found.judgements} == {"ann"}


def test_people_come_before_programs_and_the_rest_is_named(of, clips, tmp_path):
    people = [of.vote(clips[0], clips[1], 1, "ann", Source.HUMAN)]
    programs = [of.vote(clips[0], clips[1], -1, "sim", Source.SIMULATED)]
    ratings = [of.rating(clips[0], 1.0, "ann", source=Source.HUMAN)]
    of.study(tmp_path / "s", clips, [*programs, *people, *ratings], simulated=False)
    found = study_answers(tmp_path / "s", rng=rng())
    assert (found.source, found.protocol, len(found.judgements)) == ("human", "pair", 1)
    assert found.warnings == (
        "left out: 1 answers of source 'simulated'",
        "left out: 1 rating judgements (see --protocol)",
    )


def test_a_dimension_has_to_be_named_where_there_are_several(of, clips, tmp_path):
    ratings = [of.rating(c, 1.0, "r", dimension) for c in clips for dimension in ("bright", "warm")]
    of.study(tmp_path / "s", clips, ratings, dimensions=("bright", "warm"))
    with pytest.raises(DataError, match="say which --dimension; listeners judged bright, warm"):
        study_answers(tmp_path / "s", rng=rng())
    with pytest.raises(DataError, match="expected pair judgements on 'warm', found none"):
        study_answers(tmp_path / "s", "warm", protocol="pair", rng=rng())
