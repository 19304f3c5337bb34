"""An answer fits its question and says what it should, or nothing of it is stored."""

import json

import pytest
from pydantic import ValidationError

from auralign.data import parse
from auralign.listen.protocols import Reply, check_replies
from auralign.listen.refusals import InvalidAnswerError
from auralign.listen.settings import TestSettings
from auralign.types import Outcome, TrialProtocol

ITEM = [{"id": "words", "question": "Are all words there?"}]
STRENGTH = [
    {"id": "overall", "question": "Which?", "strength": ["a bit", "much"], "tags": ["noise"]}
]


def made(**test):
    return parse(TestSettings, {"name": "t", "test": test}, "test.yaml").test


def reply(**values):
    return Reply.model_validate_json(json.dumps({"value": None, **values}))


def check(test, replies, n_stimuli):
    check_replies(test.questions(), {k: reply(**v) for k, v in replies.items()}, n_stimuli)


def said(test, value, n_stimuli, **more):
    (question,) = test.questions()
    answer = reply(value=value, **more)
    check_replies([question], {question.id: answer}, n_stimuli)
    return list(test.say(question, answer, n_stimuli))


@pytest.mark.parametrize(
    ("test", "value", "n"),
    [
        ({"type": "ab"}, "C", 2),
        ({"type": "ab"}, "TIE", 2),
        ({"type": "ab"}, None, 2),
        ({"type": "ab"}, ["A"], 2),
        ({"type": "ab"}, 0, 2),
        ({"type": "cmos"}, 4, 2),
        ({"type": "cmos"}, 1.0, 2),
        ({"type": "cmos"}, "1", 2),
        ({"type": "acr"}, 0, 1),
        ({"type": "acr"}, 10**30, 1),
        ({"type": "thumbs"}, "sideways", 1),
        ({"type": "checklist", "dimensions": ITEM}, True, 1),
        ({"type": "multi_stimulus"}, [50.0], 2),
        ({"type": "multi_stimulus"}, [50.0, 100.5], 2),
        ({"type": "multi_stimulus"}, [50.0, -1], 2),
        ({"type": "multi_stimulus"}, ["50", 10], 2),
        ({"type": "ranking"}, [0, 0, 1], 3),
        ({"type": "ranking"}, [0, 1], 3),
        ({"type": "ranking"}, [0.0, 1.0, 2.0], 3),
        ({"type": "ranking"}, "012", 3),
        ({"type": "best_worst"}, {"best": 1, "worst": 1}, 4),
        ({"type": "best_worst"}, {"best": 0, "worst": 4}, 4),
        ({"type": "best_worst"}, [0, 1], 4),
    ],
    ids=str,
)
def test_a_value_that_is_no_answer_is_refused(test, value, n):
    questions = made(**test).questions()
    with pytest.raises((InvalidAnswerError, ValidationError)):
        check_replies(questions, {questions[0].id: reply(value=value)}, n)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ValidationError):
        Reply.model_validate_json(f'{{"value": {value}}}')


def test_a_missing_and_an_unknown_dimension_are_named():
    test = made(type="p835")
    with pytest.raises(InvalidAnswerError, match="got none to background, overall"):
        check(test, {"signal": {"value": 4}}, 1)
    full = {name: {"value": 4} for name in ("signal", "background", "overall")}
    with pytest.raises(InvalidAnswerError, match="got one to 'loudness'"):
        check(test, {**full, "loudness": {"value": 4}}, 1)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"value": "A"}, "a strength from 1 to 2, got None"),
        ({"value": "A", "strength": 3}, "a strength from 1 to 2, got 3"),
        ({"value": "TIE", "strength": 1}, "no strength with 'TIE'"),
        ({"value": "A", "strength": 1, "tags": ["hum"]}, "different tags of"),
        ({"value": "A", "strength": 1, "tags": ["noise", "noise"]}, "different tags of"),
        ({"value": "A", "strength": 1, "text": "hello"}, "no text, got hello"),
    ],
)
def test_what_goes_with_a_value_has_to_fit_too(values, match):
    test = made(type="ab", tie=True, dimensions=STRENGTH)
    with pytest.raises(InvalidAnswerError, match=match):
        check(test, {"overall": values}, 2)


def test_a_text_that_is_too_long_and_a_key_that_is_unknown_are_refused():
    for broken in ({"value": "A", "text": "x" * 4_001}, {"value": "A", "volume": 3}):
        with pytest.raises(ValidationError):
            reply(**broken)


@pytest.mark.parametrize(
    ("value", "outcome", "strength"),
    [(3, Outcome.B, 3), (1, Outcome.B, 1), (0, Outcome.TIE, None), (-2, Outcome.A, 2)],
)
def test_cmos_is_of_the_second_clip_compared_with_the_first(value, outcome, strength):
    (answer,) = said(made(type="cmos"), value, 2)
    assert (answer.outcome, answer.strength) == (outcome, strength)


def test_sliders_say_one_rating_for_each_clip():
    answers = said(made(type="mushra"), [90, 20.5, 0], 3)
    assert [(a.stimuli, a.rating, a.scale) for a in answers] == [
        ((0,), 90.0, (0.0, 100.0)),
        ((1,), 20.5, (0.0, 100.0)),
        ((2,), 0.0, (0.0, 100.0)),
    ]


def test_rankings_and_best_worst_keep_their_order():
    (ranked,) = said(made(type="ranking"), [2, 0, 1], 3)
    assert (ranked.protocol, ranked.ranking) == (TrialProtocol.RANKING, (2, 0, 1))
    (chosen,) = said(made(type="best_worst"), {"best": 3, "worst": 1}, 4)
    assert (chosen.protocol, chosen.ranking) == (TrialProtocol.BEST_WORST, (3, 1))


@pytest.mark.parametrize(
    ("value", "rating", "outcome"),
    [("yes", 1.0, None), ("no", 0.0, None), ("unclear", None, Outcome.SKIP)],
)
def test_an_item_that_cannot_be_told_is_a_skip(value, rating, outcome):
    (answer,) = said(made(type="checklist", dimensions=ITEM), value, 1)
    assert (answer.rating, answer.outcome) == (rating, outcome)


@pytest.mark.parametrize("kind", ["ab", "acr", "thumbs", "multi_stimulus", "ranking", "best_worst"])
def test_a_skip_is_taken_where_the_study_allows_it(kind):
    answers = said(made(type=kind, may_skip=True), None, 3)
    assert {answer.outcome for answer in answers} == {Outcome.SKIP}


def test_signal_and_background_change_places_and_overall_stays_last():
    test = made(type="p835")
    names = [question.id for question in test.questions()]
    orders = [[names[i] for i in order] for order in test.question_orders()]
    assert orders == [["signal", "background", "overall"], ["background", "signal", "overall"]]


def test_abx_has_each_clip_first_and_each_as_x_equally_often():
    orders = made(type="abx").orders(2)
    assert sorted(order[0] for order in orders) == [0, 0, 1, 1]
    assert sorted(order[2] for order in orders) == [0, 0, 1, 1]
    # X is on the first side in one half of the orders.
    assert sum(order[2] == order[0] for order in orders) == 2
