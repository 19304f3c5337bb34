"""Questions as data: a page draws them, and answers are checked against them.

choice       one of the options, for the trial or for each stimulus
scale        a number between two ends, for the trial or for each stimulus
ranking      every stimulus once, best first
best_worst   two different stimuli
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from auralign.data import StrictModel
from auralign.listen.refusals import InvalidAnswerError

MAX_TEXT = 4_000
"""Characters of a reason in the listener's own words."""

Widget = Literal["choice", "scale", "ranking", "best_worst"]


@dataclass(frozen=True, slots=True)
class Option:
    """One button: what is stored and what is read."""

    value: str | int
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A continuous scale; `bands` are the labels of equal parts of it, the lowest first."""

    low: float
    high: float
    bands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One dimension of a trial.

    each_stimulus   the value is a list with one entry for each stimulus, as presented
    strength        labels of how much better, the weakest first; none where it is not asked
    strength_for    the values with which a strength goes
    tags            reasons to tick; free_text allows a reason in the listener's own words
    """

    id: str
    text: str
    widget: Widget
    options: tuple[Option, ...] = ()
    scale: Scale | None = None
    each_stimulus: bool = False
    strength: tuple[str, ...] = ()
    strength_for: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    free_text: bool = False
    may_skip: bool = False


class BestWorst(StrictModel):
    """Indices of two stimuli, as presented."""

    best: int
    worst: int


Value = int | float | str | tuple[int | float | str, ...] | BestWorst


class Reply(StrictModel):
    """What a listener says to one question; no value is a skip."""

    value: Value | None
    strength: int | None = None
    tags: tuple[str, ...] = Field(default=(), max_length=50)
    text: str = Field(default="", max_length=MAX_TEXT)


def check_replies(
    questions: Sequence[Question], replies: Mapping[str, Reply], n_stimuli: int
) -> None:
    """Raise InvalidAnswerError unless every question has a reply that fits it, and no other has."""
    known = [question.id for question in questions]
    missing = [name for name in known if name not in replies]
    unknown = [name for name in replies if name not in known]
    if missing or unknown:
        what = f"none to {', '.join(missing)}" if missing else f"one to '{unknown[0]}'"
        raise InvalidAnswerError(f"expected a reply to each of {', '.join(known)}, got {what}")
    for question in questions:
        _check_reply(question, replies[question.id], n_stimuli)


def _check_reply(question: Question, reply: Reply, n_stimuli: int) -> None:
    if reply.value is None:
        _check_skip(question, reply)
    else:
        _CHECKS[question.widget](question, reply.value, n_stimuli)
        _check_strength(question, reply)
    strange = [tag for tag in reply.tags if tag not in question.tags]
    if strange or len(set(reply.tags)) < len(reply.tags):
        raise _wrong(question, f"different tags of {list(question.tags)}", list(reply.tags))
    if reply.text and not question.free_text:
        raise _wrong(question, "no text", reply.text[:40])


def _check_skip(question: Question, reply: Reply) -> None:
    if not question.may_skip:
        raise _wrong(question, "a value", "none")
    if reply.strength is not None:
        raise _wrong(question, "no strength with a skip", reply.strength)


def _check_strength(question: Question, reply: Reply) -> None:
    wanted = bool(question.strength) and reply.value in question.strength_for
    if wanted and (reply.strength is None or not 1 <= reply.strength <= len(question.strength)):
        raise _wrong(question, f"a strength from 1 to {len(question.strength)}", reply.strength)
    if not wanted and reply.strength is not None:
        raise _wrong(question, f"no strength with '{reply.value}'", reply.strength)


def _check_choice(question: Question, value: Value, n_stimuli: int) -> None:
    options = [option.value for option in question.options]
    for entry in _entries(question, value, n_stimuli):
        # 1.0 equals 1, and only one of them is an option.
        if not any(entry == option and type(entry) is type(option) for option in options):
            raise _wrong(question, f"one of {options}", entry)


def _check_scale(question: Question, value: Value, n_stimuli: int) -> None:
    scale = question.scale
    assert scale is not None, "a scale question has a scale"
    for entry in _entries(question, value, n_stimuli):
        if not isinstance(entry, (int, float)) or not scale.low <= entry <= scale.high:
            raise _wrong(question, f"a number from {scale.low:g} to {scale.high:g}", entry)


def _check_ranking(question: Question, value: Value, n_stimuli: int) -> None:
    order = list(value) if isinstance(value, tuple) else value
    whole = isinstance(order, list) and all(isinstance(place, int) for place in order)
    if not whole or sorted(order) != list(range(n_stimuli)):  # type: ignore[arg-type]
        raise _wrong(question, f"each of 0 to {n_stimuli - 1} once", order)


def _check_best_worst(question: Question, value: Value, n_stimuli: int) -> None:
    if not isinstance(value, BestWorst):
        raise _wrong(question, "best and worst", value)
    chosen = {value.best, value.worst}
    if len(chosen) != 2 or not chosen <= set(range(n_stimuli)):
        raise _wrong(question, f"two different ones of 0 to {n_stimuli - 1}", sorted(chosen))


def _entries(question: Question, value: Value, n_stimuli: int) -> Sequence[object]:
    if not question.each_stimulus:
        return [value]
    if not isinstance(value, tuple) or len(value) != n_stimuli:
        raise _wrong(question, f"a list of {n_stimuli}, one for each stimulus", value)
    return value


def _wrong(question: Question, expected: str, got: object) -> InvalidAnswerError:
    return InvalidAnswerError(
        f"{question.id}: expected {expected}, got {str(got)[:80]}", question=question.id
    )


_CHECKS = {
    "choice": _check_choice,
    "scale": _check_scale,
    "ranking": _check_ranking,
    "best_worst": _check_best_worst,
}
