"""An acknowledged answer is in the database exactly once, whatever happens on the way."""

import sqlite3
import threading
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select

from auralign.listen.refusals import BusyError
from auralign.listen.simulate.client import ServerError
from auralign.listen.store.database import Database
from auralign.listen.store.tables import AnswerRow, AuditRow

AB = {"overall": {"value": "A"}}
OTHER = {"overall": {"value": "B"}}
KEY = "a-key-of-the-page-1"


def answers(study):
    return study.database.read(lambda db: list(db.execute(select(AnswerRow)).scalars()))


def refusal(call, *args, **options):
    with pytest.raises(ServerError) as caught:
        call(*args, **options)
    return caught.value.status, caught.value.code


@pytest.fixture
def study(make_study):
    return make_study()


@pytest.fixture
def client(study, connect):
    client = connect(study)
    client.begin("1")
    return client


def test_a_double_click_stores_one_answer_and_repeats_the_receipt(study, client, listen):
    trial = client.trial()
    heard = listen(trial)
    first = client.answer(trial, AB, key=KEY, **heard)
    assert client.answer(trial, AB, key=KEY, **heard) == first
    assert len(answers(study)) == 1


def test_a_retry_with_other_events_is_still_the_same_answer(study, client, listen):
    trial = client.trial()
    heard = listen(trial)
    first = client.answer(trial, AB, key=KEY, **heard)
    assert client.answer(trial, AB, key=KEY, ms=heard["ms"] + 5_000) == first


def test_a_key_with_another_answer_is_refused_and_the_first_one_stays(study, client, listen):
    trial = client.trial()
    heard = listen(trial)
    client.answer(trial, AB, key=KEY, **heard)
    assert refusal(client.answer, trial, OTHER, key=KEY, **heard) == (422, "key_reused")
    assert [row.replies["overall"]["value"] for row in answers(study)] == ["A"]


def test_a_key_of_another_trial_is_refused(study, client, listen):
    first = client.trial()
    client.answer(first, AB, key=KEY, **listen(first))
    second = client.trial()
    assert refusal(client.answer, second, AB, key=KEY, **listen(second)) == (422, "key_reused")
    assert len(answers(study)) == 1


def test_a_second_answer_to_a_trial_is_told_the_first_one(study, client, listen):
    trial = client.trial()
    heard = listen(trial)
    client.answer(trial, AB, **heard)
    sent = {"key": "another-key-of-the-page", "replies": OTHER, "ms": heard["ms"]}
    response = client.http.post(
        f"/api/trials/{trial['trial']}/answer", json=sent, headers={"X-CSRF-Token": client.csrf}
    )
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "already_answered")
    assert error["stored"]["overall"]["value"] == "A"
    assert len(answers(study)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"key": "a-key-of-the-page-1", "replies": {}, "ms": 1}',
        b'{"key": "a-key-of-the-page-1", "replies": {"overall": {"value": "C"}}, "ms": 1}',
        b'{"key": "a-key-of-the-page-1", "replies": {"overall": {"value": "A"}}, "ms": NaN}',
        b'{"key": "short", "replies": {"overall": {"value": "A"}}, "ms": 1}',
        b'{"key": "a-key-of-the-page-1", "replies": {"overall": {"value": "A"}}, "ms": 1, "x": 1}',
    ],
)
def test_a_body_that_is_no_answer_is_refused_and_nothing_is_stored(study, client, body):
    path = f"/api/trials/{client.trial()['trial']}/answer"
    response = client.http.post(path, content=body, headers={"X-CSRF-Token": client.csrf})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_answer")
    assert answers(study) == []


def test_of_two_answers_that_race_one_wins_and_the_other_tab_is_told(study, client, listen):
    trial = client.trial()
    heard, outcomes = listen(trial), []
    barrier = threading.Barrier(4)

    def send(value):
        barrier.wait()
        try:
            client.answer(trial, {"overall": {"value": value}}, **heard)
            outcomes.append("stored")
        except ServerError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=send, args=("AB"[i % 2],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_answered"] * 3 + ["stored"]
    assert len(answers(study)) == 1


def test_a_refresh_shows_the_same_trial_with_the_same_sides_and_keeps_events(client, listen):
    before = client.trial()
    headers = {"X-CSRF-Token": client.csrf}
    events = [{"n": 0, "ms": 100.0, "type": "play", "clip": 0, "at": 0.0}]
    path = f"/api/trials/{before['trial']}/events"
    assert client.http.post(path, json={"events": events}, headers=headers).json() == {"stored": 1}
    # The same batch comes again when its receipt was lost.
    assert client.http.post(path, json={"events": events}, headers=headers).json() == {"stored": 1}
    after = client.trial()
    assert after["resume"] == {"n": 1, "ms": 100.0, "heard": [[], []]}
    assert {**after, "resume": before["resume"]} == before


def test_another_device_goes_on_and_the_old_tab_is_stale(study, client, connect, listen):
    trial = client.trial()
    phone = connect(study)
    phone.http.get(client.resume_url, follow_redirects=False)
    phone.csrf = phone.session()["csrf"]
    phone.claim()
    assert phone.trial() == trial
    assert refusal(client.trial) == (409, "stale_tab")
    # What the old tab had ready is not lost, but the tab learns that it is no longer the one.
    assert client.answer(trial, AB, **listen(trial))["stale"] is True
    assert phone.trial()["trial"] != trial["trial"]


def test_a_locked_database_refuses_in_time_and_takes_the_same_answer_later(study, connect, listen):
    quick = replace(study, database=Database.open(str(study.database.engine.url), busy_s=0.1))
    client = connect(quick)
    client.begin("1")
    trial = client.trial()
    heard = listen(trial)
    other = sqlite3.connect(study.folder / "listen.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refusal(client.answer, trial, AB, key=KEY, **heard) == (503, "busy")
    other.execute("ROLLBACK")
    other.close()
    client.answer(trial, AB, key=KEY, **heard)
    assert len(answers(quick)) == 1
    quick.close()


def test_a_full_disk_is_told_and_stores_no_half_answer(study, client, listen):
    trial = client.trial()
    heard = listen(trial)
    # SQLite refuses with the same error when it may not grow as when the disk does not let it.
    with study.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    study.database.engine.dispose()
    limit = f"PRAGMA max_page_count={pages}"

    def no_room(connection, record):
        connection.execute(limit)

    event.listen(study.database.engine, "connect", no_room)
    many = [{"n": n, "ms": 0.0, "type": "change"} for n in range(100, 2_000)]
    full = {"events": heard["events"] + many[: 2_000 - len(heard["events"])], "ms": heard["ms"]}
    assert refusal(client.answer, trial, AB, key=KEY, **full) == (507, "disk_full")
    assert answers(study) == []
    event.remove(study.database.engine, "connect", no_room)
    study.database.engine.dispose()
    client.answer(trial, AB, key=KEY, **full)
    assert len(answers(study)) == 1


def test_work_that_fails_leaves_nothing_behind(study):
    def half(db):
        db.add(AuditRow(what="half", detail={}, at=0.0))
        db.flush()
        raise BusyError("in the middle")

    with pytest.raises(BusyError, match="in the middle"):
        study.database.write(half)
    count = select(func.count()).select_from(AuditRow)
    assert study.database.read(lambda db: db.execute(count).scalar_one()) == 0


def test_nobody_begins_when_room_is_low(make_study, connect):
    study = make_study(limits={"min_free_mb": 10**9})
    assert refusal(connect(study).begin, "1") == (507, "disk_full")
