"""Answers as `Judgement` records, with all that is known of how the clips were listened to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auralign.files import to_json
from auralign.listen.course.clips import PlayedClip, played_clips
from auralign.listen.course.sessions import WITHDRAWN
from auralign.listen.design.schedule import Kind
from auralign.listen.protocols import Question, Reply, Said
from auralign.listen.store.tables import AnswerRow, ConditionRow, SessionRow, TrialRow
from auralign.listen.study import ListenStudy
from auralign.stats.raters.checks import CHECK, EXPECTED
from auralign.types import Candidate, Heard, Judgement, Outcome, Source

JUDGED = (Kind.MAIN, Kind.REPEAT, Kind.GOLD, Kind.TRAP)
CHECKS = (Kind.REPEAT, Kind.GOLD, Kind.TRAP)


@dataclass(frozen=True, eq=False)
class _Answered:
    """One answered trial with everything that belongs to it."""

    answer: AnswerRow
    trial: TrialRow
    condition: ConditionRow
    clips: Sequence[PlayedClip]
    rater: str


def judgements(db: Session, study: ListenStudy, *, with_text: bool) -> Iterator[Judgement]:
    """Every judgement of listeners who have not withdrawn, in the order in which they were given.

    Training and headphone checks say nothing about clips and are left out. `with_text` adds what
    listeners wrote, which may tell who they are.
    """
    raters = pseudonyms(db, study)
    query = (
        select(AnswerRow, TrialRow)
        .join(TrialRow, TrialRow.id == AnswerRow.trial_id)
        .where(TrialRow.kind.in_(JUDGED), AnswerRow.session_id.in_(list(raters)))
        .order_by(AnswerRow.received_at, AnswerRow.trial_id)
    )
    questions = {question.id: question for question in study.settings.test.questions()}
    for answer, trial in db.execute(query):
        answered = _Answered(
            answer,
            trial,
            study.plan.conditions[trial.condition_id],
            played_clips(study, trial),
            raters[answer.session_id],
        )
        for name, stored in answer.replies.items():
            reply = Reply.model_validate_json(to_json(stored))
            yield from _said(study, answered, questions[name], reply, with_text)


def pseudonyms(db: Session, study: ListenStudy) -> dict[str, str]:
    """Session id -> the listener's public name, in an order that says nothing about time."""
    query = select(SessionRow.id).where(SessionRow.state != WITHDRAWN)
    key = bytes.fromhex(study.secret)
    shuffled = sorted(
        db.execute(query).scalars(),
        key=lambda name: hmac.new(key, name.encode(), hashlib.sha256).digest(),
    )
    return {name: f"listener-{number:04d}" for number, name in enumerate(shuffled, 1)}


def _said(
    study: ListenStudy, of: _Answered, question: Question, reply: Reply, with_text: bool
) -> Iterator[Judgement]:
    said = list(study.settings.test.say(question, reply, len(of.trial.presented)))
    shared = _context(study, of)
    if with_text and reply.text:
        shared["text"] = reply.text
    for number, part in enumerate(said):
        # A trial with a rating for each clip makes several records, which need names of their own.
        name = of.trial.id if len(said) == 1 else f"{of.trial.id}.{number}"
        context = {**shared, **part.context, **_of_candidates(of, part)}
        yield _judgement(study, of, question, reply, part, name, context)


def _judgement(
    study: ListenStudy,
    of: _Answered,
    question: Question,
    reply: Reply,
    said: Said,
    name: str,
    context: Mapping[str, str],
) -> Judgement:
    heard = [of.answer.listening["clips"][i] for i in said.stimuli]
    return Judgement(
        trial=name,
        protocol=said.protocol,
        dimension=question.id,
        prompt_id=of.condition.prompt_id,
        candidates=tuple(Candidate(of.trial.presented[i]) for i in said.stimuli),
        rater=of.rater,
        source=Source.SIMULATED if study.simulated else Source.HUMAN,
        outcome=said.outcome,
        rating=said.rating,
        scale=said.scale,
        ranking=said.ranking,
        strength=said.strength,
        reasons=reply.tags,
        time_to_answer_s=of.answer.client_ms / 1_000,
        heard=tuple(Heard(clip["plays"], clip["seconds"]) for clip in heard),
        context=context,
    )


def _context(study: ListenStudy, of: _Answered) -> dict[str, str]:
    listening = of.answer.listening
    context = {
        "test": study.settings.test.type,
        "config": study.settings.hash[:16],
        "position": str(of.trial.position),
        "order_of_first_play": " ".join(map(str, listening["first_plays"])),
        "switches": str(listening["switches"]),
        "active_s": f"{listening['active_s']:.3f}",
        "hidden_s": f"{listening['hidden_s']:.3f}",
    }
    if of.condition.reference is not None:
        context["reference"] = of.condition.reference
    if of.answer.flags:
        context["flags"] = " ".join(of.answer.flags)
    if of.answer.late:
        context["late"] = "true"
    return {**context, **_check_context(of)}


def _check_context(of: _Answered) -> dict[str, str]:
    if of.trial.kind not in CHECKS:
        return {}
    expected = of.condition.expected
    if of.trial.kind == Kind.TRAP and expected in (Outcome.A, Outcome.B):
        # The clip tells the listener a side; who analyses wants the clip on that side.
        expected = of.trial.presented[(Outcome.A, Outcome.B).index(Outcome(expected))]
    return {CHECK: of.trial.kind, **({} if expected is None else {EXPECTED: expected})}


def _of_candidates(of: _Answered, said: Said) -> dict[str, str]:
    """What was heard of the candidates by position, how long they are, and X where there is one."""
    heard: list[Mapping[str, Any]] = [of.answer.listening["clips"][i] for i in said.stimuli]
    context = {
        "heard_spans_s": to_json([clip["spans"] for clip in heard]),
        "clip_s": " ".join(f"{of.clips[i].sound_s:.3f}" for i in said.stimuli),
    }
    x = next((clip for clip in of.clips if clip.label == "X"), None)
    if x is not None and said.outcome in (Outcome.A, Outcome.B):
        chosen = of.clips[(Outcome.A, Outcome.B).index(said.outcome)]
        context |= {"x": x.clip_id, "correct": str(chosen.clip_id == x.clip_id).lower()}
    return context
