"""Opaque addresses of clips: one for each clip of each trial, which say nothing about it."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from sqlalchemy.orm import Session

from auralign.listen.course.clips import played_clips
from auralign.listen.refusals import NotFoundError
from auralign.listen.store.tables import SessionRow, TrialRow
from auralign.listen.study import ListenStudy


def media_name(secret: str, trial_id: str, index: int) -> str:
    """The last part of a clip's address; another trial gives the same clip another name."""
    message = f"{trial_id}:{index}".encode()
    return hmac.new(bytes.fromhex(secret), message, hashlib.sha256).hexdigest()[:32]


def media_file(
    db: Session, study: ListenStudy, sitting: SessionRow, trial_id: str, name: str
) -> Path:
    """The file behind an address of the sitting; NotFoundError for every other address."""
    trial = db.get(TrialRow, trial_id)
    if trial is not None and trial.session_id == sitting.id:
        for clip in played_clips(db, study, trial):
            if hmac.compare_digest(media_name(study.secret, trial_id, clip.index), name):
                return study.stimuli.path / clip.path
    raise NotFoundError("there is no such clip in this sitting")
