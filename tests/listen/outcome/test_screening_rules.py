"""Rules mark listeners by name and version, and delete nothing."""

import pytest
from sqlalchemy import func, select

from auralign.listen.outcome.screening import screen
from auralign.listen.store.tables import AnswerRow, VerdictRow

pytestmark = pytest.mark.slow


def verdicts(study):
    rows = study.database.read(lambda db: list(db.execute(select(VerdictRow)).scalars()))
    return {(row.rule, row.version): row.passed for row in rows}


@pytest.fixture
def answered(make_study, connect, listen):
    """A study in which one listener answered as told, in as many seconds as told."""

    def answered(value, seconds, **settings):
        study = make_study(prompts=[f"p{k}" for k in range(12)], **settings)
        client = connect(study)
        client.begin("1")
        while (trial := client.trial()) is not None:
            heard = listen(trial)
            told = {question["id"]: {"value": value} for question in trial["questions"]}
            client.answer(trial, told, events=heard["events"], ms=seconds * 1_000)
        return study

    return answered


def test_a_fast_and_one_sided_listener_is_marked_and_her_answers_stay(answered):
    study = answered("A", 0.5, design={"trials": 12}, playback={"must_listen": 0})
    assert screen(study) == 1
    assert verdicts(study) == {("one_side", 1): False, ("too_fast", 1): False}
    count = select(func.count()).select_from(AnswerRow)
    assert study.database.read(lambda db: db.execute(count).scalar_one()) == 12


def test_one_rating_for_everything_is_marked(answered):
    study = answered(3, 2.0, test={"type": "acr"}, design={"trials": 12})
    screen(study)
    assert verdicts(study) == {("one_rating", 1): False, ("too_fast", 1): True}


def test_screening_again_replaces_verdicts(answered):
    study = answered("A", 2.0, design={"trials": 2})
    screen(study)
    before = verdicts(study)
    screen(study)
    assert verdicts(study) == before


def test_an_empty_study_has_no_verdicts(make_study):
    study = make_study()
    assert screen(study) == 0
    assert verdicts(study) == {}
