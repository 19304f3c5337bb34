"""The code exists only when everything is stored, and it is always the same one."""

import pytest

from auralign.listen.simulate.client import ServerError

pytestmark = pytest.mark.slow


def test_there_is_no_code_before_the_last_answer(make_study, connect, listen, fitting_replies):
    client = connect(make_study(design={"trials": 2}))
    client.begin("1")
    for _ in range(2):
        with pytest.raises(ServerError, match="code comes after the last answer"):
            client.complete()
        trial = client.trial()
        client.answer(trial, fitting_replies(trial), **listen(trial))
    assert client.complete()["outcome"] == "finished"


def test_the_finish_page_opens_again_with_the_same_code(make_study, connect, finish):
    client = connect(make_study())
    client.begin("1")
    finish(client)
    code = client.complete()["code"]
    for _ in range(2):
        assert code in client.http.get("/done").text


def test_listeners_have_different_codes(make_study, connect, finish):
    study = make_study()
    codes = set()
    for _ in range(3):
        client = connect(study)
        client.begin("1")
        finish(client)
        codes.add(client.complete()["code"])
    assert len(codes) == 3


def test_prolific_gets_the_codes_that_it_made(make_study, connect, finish):
    recruitment = {"platform": "prolific", "prolific_complete": "C1ABC"}
    client = connect(make_study(recruitment=recruitment))
    client.begin("1", {"PROLIFIC_PID": "p-17"})
    finish(client)
    completion = client.complete()
    assert completion["code"] == "C1ABC"
    assert completion["link"] == "https://app.prolific.com/submissions/complete?cc=C1ABC"


def test_mturk_gets_a_form_for_its_own_address(make_study, connect, finish):
    study = make_study(recruitment={"platform": "mturk"})
    client = connect(study)
    client.begin("1", {"assignmentId": "a-1", "turkSubmitTo": "https://www.mturk.com"})
    finish(client)
    completion = client.complete()
    assert completion["form"] == {
        "action": "https://www.mturk.com/mturk/externalSubmit",
        "assignmentId": "a-1",
        "code": completion["code"],
    }
    policy = client.http.get("/done").headers["Content-Security-Policy"]
    assert "form-action 'self' https://www.mturk.com" in policy
