"""Sittings: begun with consent, found by a token, taken over by one tab at a time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from auralign.data import StrictModel
from auralign.listen.course.trials import (
    ANSWERED,
    OPEN,
    RELEASED,
    SUPERSEDED,
    draw_ahead,
    set_state,
    trials_of,
)
from auralign.listen.design.schedule import Kind, draw_schedule
from auralign.listen.refusals import (
    ConflictError,
    DiskFullError,
    ForbiddenError,
    NotSignedInError,
    StaleTabError,
    StudyFullError,
)
from auralign.listen.settings import TestSettings
from auralign.listen.store.tables import (
    AnswerRow,
    PlatformIdRow,
    SessionRow,
    TrialRow,
)
from auralign.listen.study import ListenStudy, lock_study, study_row

RUNNING, FINISHED, SCREENED_OUT, TOO_LATE, WITHDRAWN = (
    "running",
    "finished",
    "screened_out",
    "too_late",
    "withdrawn",
)
ENDED = (FINISHED, SCREENED_OUT, TOO_LATE)
TOKEN_BYTES = 24
_SESSION = select(SessionRow).where(SessionRow.id == bindparam("id"))


class StartIn(StrictModel):
    """What a listener sends with the consent; platform ids come from the recruiting link."""

    consent_version: str
    agreed: Literal[True]
    locale: str = Field(default="", max_length=35)
    platform_ids: dict[str, str] = Field(default_factory=dict, max_length=8)


@dataclass(frozen=True, slots=True)
class Started:
    """A new sitting and its two secrets, which nobody can read from the database."""

    session: str
    token: str
    withdrawal_token: str


def start_session(study: ListenStudy, sent: StartIn) -> Started:
    """Begin a sitting with its consent and its first trials.

    Raises ConflictError for a consent to another version of the text, StudyFullError when nothing
    is left to answer, DiskFullError when there is little room for answers.
    """
    consent = study.settings.consent
    if sent.consent_version != consent.version:
        raise ConflictError("the consent text has changed: read it again", version=consent.version)
    _check_room(study)
    started = Started(
        session=secrets.token_hex(8),
        token=secrets.token_urlsafe(TOKEN_BYTES),
        withdrawal_token=secrets.token_urlsafe(TOKEN_BYTES),
    )
    study.database.write(lambda db: _add_session(db, study, sent, started))
    return started


def find_session(db: Session, token: str | None) -> SessionRow:
    """The sitting that a token belongs to; NotSignedInError for every other token."""
    query = select(SessionRow).where(SessionRow.token_hash == hash_token(token or ""))
    found = db.execute(query).scalar_one_or_none()
    if found is None:
        raise NotSignedInError("there is no sitting with this token: open your link again")
    require_not_withdrawn(found.state)
    return found


def claim_tab(study: ListenStudy, session_id: str, tab: str, device: Mapping[str, object]) -> None:
    """Make `tab` the one that may go on; every other one is stale from now on.

    `device` is what the page says of its audio, such as its sample rate.
    """

    def work(db: Session) -> None:
        lock_study(db)
        sitting = session_of(db, session_id)
        sitting.resumes += sitting.tab not in (None, tab)
        sitting.tab = tab
        sitting.device = dict(device) or sitting.device
        touch(db, study, sitting, trials_of(db, sitting))

    study.database.write(work)


def require_tab(sitting: SessionRow, tab: str) -> None:
    """Raise StaleTabError unless the sitting goes on in this tab."""
    if sitting.tab != tab:
        raise StaleTabError("the test goes on in another tab or on another device")


def session_of(db: Session, session_id: str) -> SessionRow:
    """The sitting; ForbiddenError when its listener has withdrawn."""
    found = db.execute(_SESSION, {"id": session_id}).scalar_one()
    require_not_withdrawn(found.state)
    return found


def require_not_withdrawn(state: str) -> None:
    if state == WITHDRAWN:
        raise ForbiddenError("this listener has withdrawn: the link is no longer valid")


def touch(db: Session, study: ListenStudy, sitting: SessionRow, trials: Iterable[TrialRow]) -> None:
    """Note that the listener is here; trials that were given back meanwhile are open again."""
    sitting.last_seen_at = study.clock()
    for trial in trials:
        if trial.state == RELEASED:
            set_state(db, trial, OPEN)


def release_abandoned(db: Session, study: ListenStudy) -> int:
    """Give back the open trials of listeners who have been silent for long; returns how many."""
    silent_since = study.clock() - 60 * study.settings.design.abandoned_after_min
    query = (
        select(TrialRow)
        .join(SessionRow, SessionRow.id == TrialRow.session_id)
        .where(TrialRow.state == OPEN, SessionRow.last_seen_at < silent_since)
    )
    abandoned = db.execute(query).scalars().all()
    for trial in abandoned:
        set_state(db, trial, RELEASED)
    return len(abandoned)


def advance(db: Session, study: ListenStudy, sitting: SessionRow, trials: list[TrialRow]) -> None:
    """Draw what comes after the sitting's `trials`, or end it where nothing does."""
    if sitting.state != RUNNING:
        return
    if not _passes_headphones(db, study, sitting, trials):
        _end(study, sitting, SCREENED_OUT)
        return
    draw_ahead(db, study, sitting, trials)
    if not any(trial.state == OPEN for trial in trials):
        answered = any(t.state == ANSWERED and t.kind != Kind.HEADPHONES for t in trials)
        _end(study, sitting, FINISHED if answered else TOO_LATE)


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_room(study: ListenStudy) -> None:
    free_mb = study.database.free_mb()
    least_mb = study.settings.limits.min_free_mb
    if free_mb is not None and free_mb < least_mb:
        raise DiskFullError("the server has little room left: nobody can begin now")


def _add_session(db: Session, study: ListenStudy, sent: StartIn, started: Started) -> None:
    row = study_row(db)
    if row.config_hash != study.settings.hash:
        raise ConflictError("the test was changed while it is served: serve it again")
    release_abandoned(db, study)
    n_before = db.execute(select(func.count()).select_from(SessionRow)).scalar_one()
    most = study.settings.design.max_listeners
    if row.closed_at is not None or (most is not None and n_before >= most):
        raise StudyFullError("this study has all the listeners it needs: thank you for coming")
    sitting = _new_sitting(study, sent, started, n_before + 1)
    db.add(sitting)
    db.flush()
    if sent.platform_ids:
        db.add(PlatformIdRow(session_id=started.session, ids=dict(sent.platform_ids)))
    advance(db, study, sitting, [])
    if sitting.state == TOO_LATE:
        raise StudyFullError("everything has been answered already: thank you for coming")


def _new_sitting(study: ListenStudy, sent: StartIn, started: Started, number: int) -> SessionRow:
    settings, now = study.settings, study.clock()
    return SessionRow(
        number=number,
        id=started.session,
        token_hash=hash_token(started.token),
        withdrawal_hash=hash_token(started.withdrawal_token),
        state=RUNNING,
        tab=None,
        schedule=_schedule(settings, number),
        headphone_attempts=0,
        question_order=(number - 1) % len(settings.test.question_orders()),
        consent_version=settings.consent.version,
        consent_hash=hashlib.sha256(settings.consent.text.encode()).hexdigest(),
        consented_at=now,
        platform=settings.recruitment.platform,
        locale=sent.locale,
        device={},
        resumes=0,
        last_seen_at=now,
        finished_at=None,
    )


def _schedule(settings: TestSettings, number: int) -> list[str]:
    check = settings.checks.headphones
    return list(
        draw_schedule(
            settings.design,
            n_headphones=check.trials if check else 0,
            n_training=settings.design.training,
            rng=np.random.default_rng([settings.seed, number]),
        )
    )


def _passes_headphones(
    db: Session, study: ListenStudy, sitting: SessionRow, all_trials: Iterable[TrialRow]
) -> bool:
    """Whether the sitting may go on: the check is passed, unfinished, or may be tried again."""
    check = study.settings.checks.headphones
    if check is None:
        return True
    trials = [t for t in all_trials if t.kind == Kind.HEADPHONES and t.state == ANSWERED]
    if len(trials) < check.trials or _n_right(db, study, trials) >= check.needed:
        return True
    sitting.headphone_attempts += 1
    if sitting.headphone_attempts >= check.attempts:
        return False
    for trial in trials:
        set_state(db, trial, SUPERSEDED)
    return True


def _n_right(db: Session, study: ListenStudy, trials: Iterable[TrialRow]) -> int:
    right = 0
    for trial in trials:
        expected = study.plan.conditions[trial.condition_id].expected
        reply = db.get_one(AnswerRow, trial.id).replies["headphones"]
        right += reply["value"] == expected
    return right


def _end(study: ListenStudy, sitting: SessionRow, state: str) -> None:
    sitting.state, sitting.finished_at = state, study.clock()
