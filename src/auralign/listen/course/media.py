"""Opaque addresses of clips: one for each clip of each trial, which say nothing about it."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from auralign.listen.course.clips import played_clips
from auralign.listen.course.sessions import require_not_withdrawn
from auralign.listen.refusals import NotFoundError
from auralign.listen.store.tables import SessionRow, TrialRow
from auralign.listen.study import ListenStudy

_TRIAL = (
    select(TrialRow, SessionRow.state)
    .join(SessionRow, SessionRow.id == TrialRow.session_id)
    .where(TrialRow.id == bindparam("trial"), TrialRow.session_id == bindparam("session"))
)


def media_name(secret: str, trial_id: str, index: int) -> str:
    """The last part of a clip's address; another trial gives the same clip another name."""
    message = f"{trial_id}:{index}".encode()
    return hmac.new(bytes.fromhex(secret), message, hashlib.sha256).hexdigest()[:32]


def media_file(db: Session, study: ListenStudy, session_id: str, trial_id: str, name: str) -> Path:
    """The file behind an address of the sitting; NotFoundError for every other address."""
    found = db.execute(_TRIAL, {"trial": trial_id, "session": session_id}).one_or_none()
    if found is not None:
        trial, state = found
        require_not_withdrawn(state)
        for clip in played_clips(study, trial):
            if hmac.compare_digest(media_name(study.secret, trial_id, clip.index), name):
                return study.stimuli.path / clip.path
    raise NotFoundError("there is no such clip in this sitting")
