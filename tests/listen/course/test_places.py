"""Places in the design: given back when listeners leave, and never more than there are."""

import pytest
from sqlalchemy import func, select

from auralign.listen.course.sessions import release_abandoned
from auralign.listen.course.withdrawal import withdraw
from auralign.listen.simulate.client import ServerError
from auralign.listen.store.tables import (
    AnswerRow,
    AuditRow,
    CellRow,
    ConditionRow,
    EventBatchRow,
    PlatformIdRow,
    TrialRow,
)

pytestmark = pytest.mark.slow

AB = {"overall": {"value": "A"}}


def counts(study):
    """Open and answered presentations by the cells, and by the trials themselves."""

    def work(db):
        cells = db.execute(select(func.sum(CellRow.n_open), func.sum(CellRow.n_answered))).one()
        states = [
            db.execute(select(func.count()).where(TrialRow.state == state)).scalar_one()
            for state in ("open", "answered")
        ]
        return tuple(cells), tuple(states)

    return study.database.read(work)


def test_what_a_silent_listener_had_open_goes_back_and_is_hers_when_she_returns(
    make_study, connect, listen, clock
):
    study = make_study()
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    assert counts(study) == ((2, 0), (2, 0))
    clock.now += 60 * 60
    assert study.database.write(lambda db: release_abandoned(db, study)) == 2
    assert counts(study) == ((0, 0), (0, 0))
    client.claim()
    assert client.trial()["trial"] == trial["trial"]
    assert counts(study) == ((2, 0), (2, 0))


def test_an_answer_that_comes_after_its_place_was_given_back_is_stored_and_marked(
    make_study, connect, listen, clock
):
    study = make_study()
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    heard = listen(trial)
    clock.now += 60 * 60
    study.database.write(lambda db: release_abandoned(db, study))
    client.answer(trial, AB, **heard)
    row = study.database.read(lambda db: db.execute(select(AnswerRow)).scalar_one())
    assert row.late
    assert counts(study)[0] == counts(study)[1] == (1, 1)


def test_no_condition_gets_more_answers_than_its_quota(make_study, connect, finish):
    study = make_study(design={"answers_per_condition": 2, "trials": 2})
    for _ in range(2):
        client = connect(study)
        client.begin("1")
        assert len(finish(client)) == 2
    with pytest.raises(ServerError, match="409 study_full"):
        connect(study).begin("1")
    assert counts(study)[0] == (0, 4)


def test_who_is_mid_test_when_the_quota_ends_is_paid_for_what_was_done(make_study, connect, finish):
    study = make_study(
        prompts=("p1", "p2", "p3", "p4"), design={"answers_per_condition": 1, "trials": 4}
    )
    first, second = connect(study), connect(study)
    first.begin("1")
    second.begin("1")
    n_answers = len(finish(first)) + len(finish(second))
    assert n_answers == 4
    assert first.complete()["outcome"] == second.complete()["outcome"] == "finished"


def test_a_study_takes_no_more_listeners_than_it_says(make_study, connect):
    study = make_study(design={"max_listeners": 1})
    connect(study).begin("1")
    with pytest.raises(ServerError, match="409 study_full"):
        connect(study).begin("1")


def test_sides_and_orders_are_stored_before_they_are_shown(make_study, connect):
    study = make_study()
    client = connect(study)
    client.begin("1")
    rows = study.database.read(lambda db: list(db.execute(select(TrialRow)).scalars()))
    assert [row.shown_at for row in rows] == [None, None]
    assert all(len(row.presented) == 2 for row in rows)
    client.trial()
    shown = study.database.read(
        lambda db: [row.shown_at for row in db.execute(select(TrialRow)).scalars()]
    )
    assert sum(at is not None for at in shown) == 1


def test_sides_of_a_pair_alternate_between_listeners(make_study, connect, finish):
    study = make_study(prompts=("p1",), design={"trials": 1})
    for _ in range(4):
        client = connect(study)
        client.begin("1")
        finish(client)
    rows = study.database.read(lambda db: list(db.execute(select(CellRow)).scalars()))
    assert [row.n_answered for row in rows] == [2, 2]


def test_a_repeat_asks_the_same_pair_with_sides_changed(make_study, connect, finish):
    study = make_study(design={"trials": 2, "repeats": 1})
    client = connect(study)
    client.begin("1")
    assert len(finish(client)) == 3
    rows = study.database.read(lambda db: list(db.execute(select(TrialRow)).scalars()))
    again = next(row for row in rows if row.kind == "repeat")
    first = next(row for row in rows if row.id == again.repeats)
    assert again.presented == first.presented[::-1]


def test_the_page_does_not_say_which_trials_are_checks(make_study, connect, finish):
    gold = {"prompt": "p1", "systems": ["tuned", "base"], "expected": "tuned"}
    study = make_study(design={"trials": 2, "gold": 1}, checks={"gold": [gold]})
    client = connect(study)
    client.begin("1")
    assert {trial["part"] for trial in finish(client)} == {"main"}


def test_a_listener_who_withdraws_leaves_counts_and_nothing_else(make_study, connect, finish):
    study = make_study()
    client = connect(study)
    client.begin("1", {"PROLIFIC_PID": "p-17"})
    finish(client)
    token = client.withdrawal_url.rsplit("/", 1)[1]
    assert withdraw(study, token) == 2
    assert withdraw(study, token) == 0

    def left(db):
        rows = db.execute(select(AnswerRow)).scalars()
        n = [
            db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (PlatformIdRow, EventBatchRow)
        ]
        audit = db.execute(select(AuditRow.detail).where(AuditRow.what == "withdrawn"))
        return [row.replies for row in rows], n, list(audit.scalars())

    assert study.database.read(left) == ([{}, {}], [0, 0], [{"answers": 2}])
    assert counts(study)[0] == (0, 0)
    with pytest.raises(ServerError, match="403 forbidden"):
        client.trial()


def test_headphones_are_checked_before_a_place_is_taken(make_study, connect, listen):
    check = {"kind": "antiphase", "trials": 3, "needed": 3, "attempts": 2}
    study = make_study(checks={"headphones": check})
    client = connect(study)
    client.begin("1")
    assert counts(study)[0] == (0, 0)
    asked = 0
    while (trial := client.trial()) is not None:
        assert trial["part"] == "headphones"
        client.answer(trial, {"headphones": {"value": "1"}}, **listen(trial))
        asked += 1
    assert asked == 6
    assert client.complete()["outcome"] == "screened_out"


def test_who_passes_the_headphone_check_goes_on(make_study, connect, listen):
    check = {"kind": "huggins", "trials": 3, "needed": 3}
    study = make_study(checks={"headphones": check})
    client = connect(study)
    client.begin("1")
    for _ in range(3):
        trial = client.trial()
        right = study.database.read(lambda db, name=trial["trial"]: expected_of(db, name))
        client.answer(trial, {"headphones": {"value": right}}, **listen(trial))
    assert client.trial()["part"] == "main"


def expected_of(db, name):
    trial = db.get_one(TrialRow, name)
    return db.get_one(ConditionRow, trial.condition_id).expected
