"""What a page is told about a trial: everything it needs, and nothing that un-blinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from auralign.listen.course.clips import played_clips
from auralign.listen.course.events import stored_events
from auralign.listen.course.media import media_name
from auralign.listen.course.telemetry import Event, Span, listening
from auralign.listen.course.trials import ANSWERED, OPEN, VOID, current_trial, trials_of
from auralign.listen.design.schedule import Kind
from auralign.listen.material.headphones import N_INTERVALS
from auralign.listen.protocols.questions import Option, Question
from auralign.listen.settings import Playback
from auralign.listen.store.tables import SessionRow, TrialRow
from auralign.listen.study import ListenStudy

HEADPHONE_QUESTIONS = {
    "antiphase": "Which of the three tones is the quietest?",
    "huggins": "Which of the three noises contains a faint tone?",
}


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A clip for the player; events name it by `index`."""

    index: int
    label: str
    part: str
    url: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a page goes on after a refresh.

    n, ms   the next number of an event, and the clock
    heard   what was heard of each clip so far, as spans [s]
    """

    n: int
    ms: float
    heard: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class Presentation:
    """One trial for the page. `part` is headphones, training or main, whatever else it is.

    `rest` says that a break is offered before it.
    """

    trial: str
    type: str
    part: str
    number: int
    of: int
    prompt: str
    clips: tuple[ShownClip, ...]
    questions: tuple[Question, ...]
    playback: Playback
    resume: ResumePoint
    rest: bool
    prefetch: tuple[str, ...]
    options: dict[str, Any]


def present(db: Session, study: ListenStudy, sitting: SessionRow) -> Presentation | None:
    """The trial that is to be answered now, noting when it was first shown; None at the end."""
    trials = trials_of(db, sitting)
    trial = current_trial(trials)
    if trial is None:
        return None
    # What was not shown before has no events to read.
    events = [] if trial.shown_at is None else stored_events(db, trial.id)
    if trial.shown_at is None:
        trial.shown_at = study.clock()
    waiting = [t for t in trials if t.state == OPEN and t is not trial]
    prompt = study.plan.conditions[trial.condition_id].prompt_id
    headphones = trial.kind == Kind.HEADPHONES
    return Presentation(
        trial=trial.id,
        type="headphones" if headphones else study.settings.test.type,
        part=trial.kind if trial.kind in (Kind.HEADPHONES, Kind.TRAINING) else "main",
        number=1 + sum(t.state == ANSWERED for t in trials),
        of=sum(kind != VOID for kind in sitting.schedule),
        prompt=study.plan.prompts.get(prompt, ""),
        clips=_shown_clips(study, trial),
        questions=questions_of(study, sitting, trial),
        playback=study.settings.playback,
        resume=_resume_point(study, trial, events),
        rest=_rests_before(study, trials),
        prefetch=tuple(c.url for t in waiting for c in _shown_clips(study, t)),
        options={} if headphones else _page_options(study),
    )


def questions_of(study: ListenStudy, sitting: SessionRow, trial: TrialRow) -> tuple[Question, ...]:
    """The questions of a trial in the order that this listener keeps."""
    check = study.settings.checks.headphones
    if trial.kind == Kind.HEADPHONES and check is not None:
        options = tuple(Option(str(i + 1), str(i + 1)) for i in range(N_INTERVALS))
        text = HEADPHONE_QUESTIONS[check.kind]
        return (Question("headphones", text, "choice", options=options),)
    questions = study.settings.test.questions()
    orders = study.settings.test.question_orders()
    return tuple(questions[i] for i in orders[sitting.question_order % len(orders)])


def _shown_clips(study: ListenStudy, trial: TrialRow) -> tuple[ShownClip, ...]:
    return tuple(
        ShownClip(
            index=clip.index,
            label=clip.label,
            part=clip.part,
            url=f"/media/{trial.id}/{media_name(study.secret, trial.id, clip.index)}",
            duration_s=round(clip.duration_s, 3),
        )
        for clip in played_clips(study, trial)
    )


def _resume_point(study: ListenStudy, trial: TrialRow, events: Sequence[Event]) -> ResumePoint:
    durations = [clip.duration_s for clip in played_clips(study, trial)]
    ms = max((event.ms for event in events), default=0.0)
    heard = listening(events, durations, ms)
    return ResumePoint(
        n=max((event.n for event in events), default=-1) + 1,
        ms=ms,
        heard=tuple(clip.spans for clip in heard.clips),
    )


def _rests_before(study: ListenStudy, trials: Sequence[TrialRow]) -> bool:
    """Whether a round number of trials, without training and headphone check, is answered."""
    every = study.settings.design.rest_every
    apart = (Kind.HEADPHONES, Kind.TRAINING)
    answered = sum(t.state == ANSWERED and t.kind not in apart for t in trials)
    return every is not None and answered > 0 and answered % every == 0


def _page_options(study: ListenStudy) -> dict[str, Any]:
    """Options of the type of test that a page shows, such as its guidelines."""
    shown = study.settings.test.model_dump(mode="json")
    return {key: shown[key] for key in ("speaker", "guidelines") if key in shown}


def progress_of(sitting: SessionRow, trials: Sequence[TrialRow]) -> tuple[int, int]:
    """Answered trials, and all that the sitting has."""
    return (
        sum(trial.state == ANSWERED for trial in trials),
        sum(kind != VOID for kind in sitting.schedule),
    )
