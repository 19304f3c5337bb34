"""Interim results are right, and that somebody looked is on record."""

import math

import pytest
from sqlalchemy import select

from auralign.errors import DataError
from auralign.listen.outcome.progress import close, progress
from auralign.listen.outcome.results import failed_rules, peek
from auralign.listen.outcome.screening import screen
from auralign.listen.simulate.client import ServerError
from auralign.listen.store.tables import AuditRow, TrialRow

pytestmark = pytest.mark.slow


@pytest.fixture
def tuned_wins(make_study, connect, listen):
    """Three listeners compare two systems; `tuned` wins except for one tie of each."""
    study = make_study({"type": "ab", "tie": True}, prompts=("p1", "p2", "p3", "p4"))
    good = {clip.id for clip in study.stimuli.clips() if clip.system == "tuned"}
    for _ in range(3):
        client = connect(study)
        client.begin("1")
        for k in range(4):
            trial = client.trial()
            row = study.database.read(lambda db, name=trial["trial"]: db.get_one(TrialRow, name))
            side = "A" if row.presented[0] in good else "B"
            value = "TIE" if k == 0 else side
            client.answer(trial, {"overall": {"value": value}}, **listen(trial))
    return study


def test_a_tie_counts_half_and_listeners_are_the_clusters(tuned_wins):
    (contest,) = peek(tuned_wins, "overall").contests
    assert (contest.first, contest.second) == ("base", "tuned")
    share = 3 * 0.5 / 12
    assert contest.win_rate.value == pytest.approx(share)
    assert (contest.win_rate.n, contest.win_rate.n_clusters) == (12, 3)


def test_every_look_is_recorded_and_counted(tuned_wins):
    assert [peek(tuned_wins, "overall").peeks for _ in range(3)] == [1, 2, 3]
    looks = tuned_wins.database.read(
        lambda db: list(
            db.execute(select(AuditRow.detail).where(AuditRow.what == "peek")).scalars()
        )
    )
    assert looks == [{"dimension": "overall"}] * 3


def test_the_side_that_is_presented_first_is_watched(make_study, connect, listen):
    study = make_study()
    client = connect(study)
    client.begin("1")
    while (trial := client.trial()) is not None:
        client.answer(trial, {"overall": {"value": "A"}}, **listen(trial))
    seen = peek(study, "overall").first_side
    assert seen.value == 1.0
    assert math.isnan(seen.low)


def test_means_of_ratings_are_by_system(make_study, connect, finish):
    study = make_study({"type": "acr"}, design={"trials": 4})
    for _ in range(2):
        client = connect(study)
        client.begin("1")
        finish(client)
    means = peek(study, "overall").means
    assert {system: mean.value for system, mean in means.items()} == {"base": 5.0, "tuned": 5.0}


def test_an_unknown_dimension_is_no_look(make_study):
    study = make_study()
    with pytest.raises(DataError, match="'quality' is not one of the dimensions overall"):
        peek(study, "quality")


def test_progress_counts_without_looking_at_answers(tuned_wins):
    now = progress(tuned_wins)
    assert (now.answers, now.conditions, now.fewest, now.most, now.open) == (12, 4, 3, 3, 0)
    assert now.sittings == {"finished": 3}
    looks = tuned_wins.database.read(lambda db: list(db.execute(select(AuditRow.what)).scalars()))
    assert looks == []


def test_nobody_begins_a_closed_study_and_who_is_there_may_finish(make_study, connect, finish):
    study = make_study()
    client = connect(study)
    client.begin("1")
    assert close(study)
    assert not close(study)
    with pytest.raises(ServerError, match="409 study_full"):
        connect(study).begin("1")
    assert len(finish(client)) == 2


def test_rules_that_listeners_fail_are_counted(tuned_wins):
    screen(tuned_wins)
    assert failed_rules(tuned_wins) == {}
