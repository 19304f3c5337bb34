"""The server works out itself what was heard, and what an answer without it is worth."""

import pytest
from sqlalchemy import select

from auralign.listen.simulate.client import ServerError
from auralign.listen.store.tables import AnswerRow

pytestmark = pytest.mark.slow

AB = {"overall": {"value": "A"}}


def flags(study):
    return study.database.read(
        lambda db: [r.flags for r in db.execute(select(AnswerRow)).scalars()]
    )


def test_an_answer_before_listening_is_refused_where_the_study_says_so(make_study, connect, listen):
    study = make_study()
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    with pytest.raises(ServerError, match="422 not_heard"):
        client.answer(trial, AB, **listen(trial, share=0.5))
    assert flags(study) == []


def test_an_answer_before_listening_is_flagged_where_the_study_says_so(make_study, connect, listen):
    study = make_study(playback={"if_unheard": "flag"})
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    client.answer(trial, AB, **listen(trial, share=0.5))
    assert flags(study) == [["unheard:A", "unheard:B"]]


def test_a_page_that_claims_more_time_than_passed_is_flagged(make_study, connect, listen, clock):
    study = make_study(playback={"if_unheard": "flag"})
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    heard = listen(trial)
    clock.now -= 1
    client.answer(trial, AB, events=heard["events"], ms=60_000.0)
    assert flags(study) == [["ahead_of_time"]]


def test_the_clock_of_the_computer_does_not_matter(make_study, connect, listen, clock):
    # The page sends a monotonic clock; a server whose own clock was set forward still takes it.
    study = make_study()
    client = connect(study)
    client.begin("1")
    trial = client.trial()
    heard = listen(trial)
    clock.now += 86_400
    client.answer(trial, AB, **heard)
    stored = study.database.read(lambda db: db.execute(select(AnswerRow)).scalar_one())
    assert stored.client_ms == heard["ms"]


def test_a_clip_that_does_not_decode_is_replaced_not_rated(make_study, connect, clock):
    study = make_study(prompts=("p1", "p2", "p3"), design={"trials": 1})
    client = connect(study)
    client.begin("1")
    broken = client.trial()
    headers = {"X-CSRF-Token": client.csrf}
    path = f"/api/trials/{broken['trial']}/failure"
    reply = client.http.post(path, json={"reason": "decode"}, headers=headers)
    assert reply.json() == {"replaced": True}
    other = client.trial()
    assert other["trial"] != broken["trial"]
    assert other["number"] == broken["number"]
    with pytest.raises(ServerError, match="409 conflict: this trial was replaced"):
        client.answer(broken, AB, ms=0.0)
