"""An answer is one commit: stored exactly once, acknowledged only when it is on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import Field
from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from auralign.data import StrictModel
from auralign.files import to_json
from auralign.listen.course.clips import PlayedClip, played_clips
from auralign.listen.course.events import EventsIn, store_events, stored_events
from auralign.listen.course.presentation import questions_of
from auralign.listen.course.sessions import advance, session_of, touch
from auralign.listen.course.telemetry import (
    MAX_EVENTS,
    SLACK_S,
    Event,
    Listening,
    listening,
)
from auralign.listen.course.trials import ANSWERED, FAILED, OPEN, RELEASED, set_state, trials_of
from auralign.listen.design.schedule import Kind
from auralign.listen.protocols.questions import Reply, check_replies
from auralign.listen.refusals import (
    AlreadyAnsweredError,
    ConflictError,
    KeyReusedError,
    NotFoundError,
    NotHeardError,
)
from auralign.listen.settings import Playback
from auralign.listen.store.tables import AnswerRow, AuditRow, SessionRow, TrialRow
from auralign.listen.study import ListenStudy, lock_study

MAX_FAILURES = 3
"""Broken clips of one sitting after which it does not get others in their place."""

_ANSWERS = select(AnswerRow).where(
    AnswerRow.session_id == bindparam("session"),
    or_(AnswerRow.trial_id == bindparam("trial"), AnswerRow.key == bindparam("key")),
)


class AnswerIn(StrictModel):
    """What a page sends. The same key with the same content is the same answer, however often."""

    key: str = Field(pattern="^[A-Za-z0-9_-]{16,64}$")
    replies: dict[str, Reply]
    events: tuple[Event, ...] = Field(default=(), max_length=MAX_EVENTS)
    dropped: int = Field(default=0, ge=0)
    ms: float = Field(ge=0, le=10**9)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what is said, without the events on the way to it."""
        said = self.model_dump(mode="json", include={"replies"})
        return hashlib.sha256(to_json(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Says that an answer is stored; `state` is that of the sitting after it."""

    trial: str
    key: str
    received_at: float
    state: str
    stale: bool = False


def record_answer(
    study: ListenStudy, session_id: str, trial_id: str, sent: AnswerIn, *, tab: str
) -> Receipt:
    """Store an answer, and draw what comes next, in one transaction.

    The same answer sent again gets the same receipt. Raises NotFoundError for a trial of somebody
    else, AlreadyAnsweredError when the trial has another answer, KeyReusedError for a known key
    with other content, InvalidAnswerError for one that does not fit, NotHeardError where the study
    wants clips heard. Then nothing is stored.
    """

    def work(db: Session) -> Receipt:
        lock_study(db)
        sitting = session_of(db, session_id)
        trials = trials_of(db, sitting)
        trial = trial_in(trials, trial_id)
        stored = _stored(db, trial, sent)
        if stored is None:
            stored = _store(db, study, sitting, trial, sent)
            touch(db, study, sitting, trials)
            advance(db, study, sitting, trials)
        stale = sitting.tab is not None and sitting.tab != tab
        return Receipt(trial_id, stored.key, stored.received_at, sitting.state, stale)

    return study.database.write(work)


def record_events(study: ListenStudy, session_id: str, trial_id: str, sent: EventsIn) -> int:
    """Keep events of a trial that is not answered yet; returns how many of it are kept."""

    def work(db: Session) -> int:
        lock_study(db)
        sitting = session_of(db, session_id)
        trials = trials_of(db, sitting)
        trial = trial_in(trials, trial_id)
        touch(db, study, sitting, trials)
        if trial.state == OPEN:
            return len(store_events(db, trial_id, sent, study.clock()))
        return len(stored_events(db, trial_id))

    return study.database.write(work)


def replace_failed(study: ListenStudy, session_id: str, trial_id: str, reason: str) -> bool:
    """Put another trial in the place of one whose clips cannot be played.

    Returns False when that has happened too often; then the sitting waits, and nothing is rated.
    """

    def work(db: Session) -> bool:
        lock_study(db)
        sitting = session_of(db, session_id)
        trials = trials_of(db, sitting)
        trial = trial_in(trials, trial_id)
        if trial.state != OPEN:
            raise ConflictError("this trial is not open: ask for the current one")
        detail = {"trial": trial_id, "reason": reason}
        db.add(AuditRow(what="clip_failed", detail=detail, at=study.clock()))
        if sum(t.state == FAILED for t in trials) >= MAX_FAILURES:
            return False
        set_state(db, trial, FAILED)
        advance(db, study, sitting, trials)
        return True

    return study.database.write(work)


def trial_in(trials: Sequence[TrialRow], trial_id: str) -> TrialRow:
    """A trial of a sitting; NotFoundError for one of another and for none alike."""
    for trial in trials:
        if trial.id == trial_id:
            return trial
    raise NotFoundError("there is no such trial in this sitting")


def _stored(db: Session, trial: TrialRow, sent: AnswerIn) -> AnswerRow | None:
    """The trial's answer, if there is one; then it has to be the one that was sent."""
    names = {"session": trial.session_id, "trial": trial.id, "key": sent.key}
    found = {row.trial_id: row for row in db.execute(_ANSWERS, names).scalars()}
    if trial.id in found:
        _check_same(found[trial.id], sent)
    elif found:
        raise KeyReusedError("this key belongs to another trial: make a new one for each answer")
    return found.get(trial.id)


def _check_same(stored: AnswerRow, sent: AnswerIn) -> None:
    if stored.key != sent.key:
        raise AlreadyAnsweredError(
            "this trial has been answered: the first answer stays", stored=stored.replies
        )
    if stored.payload_hash != sent.hash:
        raise KeyReusedError("this key came with another answer before: the first one stays")


def _store(
    db: Session, study: ListenStudy, sitting: SessionRow, trial: TrialRow, sent: AnswerIn
) -> AnswerRow:
    if trial.state not in (OPEN, RELEASED):
        raise ConflictError("this trial was replaced: ask for the current one")
    now, late = study.clock(), trial.state == RELEASED
    check_replies(questions_of(study, sitting, trial), sent.replies, len(trial.presented))
    events = EventsIn(events=sent.events, dropped=sent.dropped)
    kept = store_events(db, trial.id, events, now)
    clips = played_clips(study, trial)
    heard = listening(kept, [clip.duration_s for clip in clips], sent.ms)
    flags = _unheard(study.settings.playback, trial, clips, heard)
    # A simulated listener's time is simulated too.
    if not study.simulated and _is_ahead(trial, sent.ms, now):
        flags.append("ahead_of_time")
    if flags and study.settings.playback.if_unheard == "refuse":
        raise NotHeardError("listen to every clip before you answer", problems=flags)
    answer = AnswerRow(
        trial_id=trial.id,
        session_id=sitting.id,
        key=sent.key,
        payload_hash=sent.hash,
        replies={name: reply.model_dump(mode="json") for name, reply in sent.replies.items()},
        listening=asdict(heard),
        flags=flags,
        late=late,
        client_ms=sent.ms,
        received_at=now,
    )
    db.add(answer)
    set_state(db, trial, ANSWERED)
    return answer


def _unheard(
    playback: Playback, trial: TrialRow, clips: Sequence[PlayedClip], heard: Listening
) -> list[str]:
    """A flag for each stimulus of which less was heard than the study wants."""
    if trial.kind == Kind.HEADPHONES:
        return []
    return [
        f"unheard:{clip.label}"
        for clip, of in zip(clips, heard.clips, strict=True)
        if clip.part == "stimulus" and _heard_share(of.share, clip) < playback.must_listen
    ]


def _is_ahead(trial: TrialRow, ms: float, now: float) -> bool:
    """Whether the page claims more time than has passed since it got the trial."""
    began = now if trial.shown_at is None else trial.shown_at
    return ms / 1_000 > now - began + SLACK_S


def _heard_share(share: float, clip: PlayedClip) -> float:
    """Of the sound, without the padding; 50 ms at the end are forgiven, which timers lose."""
    return share * clip.duration_s / max(clip.sound_s - 0.05, 1e-3)
