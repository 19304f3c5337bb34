"""A listening test on the disk: its settings, its clips and its database, opened together.

test.yaml          what the organiser wrote
clips/             the recordings, or wherever `clips.path` points
stimuli/           the clips as they are played, a study folder
listen.sqlite      sessions and answers of people
simulated.sqlite   sessions and answers of simulated listeners, never mixed with people's
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from auralign.data import StudyFolder, read_yaml
from auralign.errors import ConfigError, DataError
from auralign.listen.material.prepared import Prepared, prepared_clips
from auralign.listen.plan import Plan, read_plan
from auralign.listen.protocols import Condition, Stimulus
from auralign.listen.settings import CheckTrial, TestSettings
from auralign.listen.store.database import Database
from auralign.listen.store.tables import (
    CellRow,
    ConditionRow,
    PromptRow,
    SessionRow,
    StimulusRow,
    StudyRow,
)
from auralign.listen.store.upgrade import upgrade_schema

SETTINGS_NAME = "test.yaml"
Clock = Callable[[], float]
"""Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ListenStudy:
    """An open test. `secret` signs the addresses of its clips; `simulated` says who listens."""

    folder: Path
    settings: TestSettings
    stimuli: StudyFolder
    database: Database
    plan: Plan
    secret: str
    simulated: bool
    clock: Clock

    def close(self) -> None:
        self.database.engine.dispose()


def open_study(
    folder: str | os.PathLike[str],
    *,
    url: str | None = None,
    simulated: bool = False,
    clock: Clock = time.time,
) -> ListenStudy:
    """Open the test in `folder`, preparing clips and database where they are not there yet.

    `url` is that of another database than the SQLite file in the folder. Raises ConfigError for
    settings that are wrong, or that changed after the first listener came; DataError for clips that
    cannot be used, or a database of a newer auralign.
    """
    folder = Path(folder)
    settings = read_yaml(TestSettings, folder / SETTINGS_NAME)
    name = "simulated.sqlite" if simulated else "listen.sqlite"
    database = Database.open(url or f"sqlite:///{folder / name}")
    upgrade_schema(database)
    database.write(lambda s: _check_unchanged(s, settings, simulated, folder))
    prepared = prepared_clips(folder, settings)
    stimuli = StudyFolder.open(folder / "stimuli")
    texts = {prompt.id: prompt.text for prompt in stimuli.prompts()}
    secret = database.write(lambda s: _fill(s, settings, simulated, prepared, texts, clock()))
    plan = database.read(read_plan)
    return ListenStudy(folder, settings, stimuli, database, plan, secret, simulated, clock)


def lock_study(session: Session) -> None:
    """Hold the study's row until the transaction ends: writers come one after another.

    In SQLite a transaction that writes has waited for its turn when it begins.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(select(StudyRow.id).with_for_update())


def study_row(session: Session) -> StudyRow:
    """The study's row, held like that."""
    return session.execute(select(StudyRow).with_for_update()).scalar_one()


def _check_unchanged(
    session: Session, settings: TestSettings, simulated: bool, folder: Path
) -> None:
    row = session.execute(select(StudyRow)).scalar_one_or_none()
    if row is None:
        return
    if row.simulated != simulated:
        who = "simulated listeners" if row.simulated else "people"
        raise ConfigError(
            f"{folder}: this database has answers of {who}: keep simulated listeners in a "
            "database of their own"
        )
    n_sessions = session.execute(select(func.count()).select_from(SessionRow)).scalar_one()
    if row.config_hash != settings.hash and n_sessions:
        raise ConfigError(
            f"{folder / SETTINGS_NAME} was changed after {n_sessions} listeners began: restore it, "
            "or make a new folder for the changed test"
        )


def _fill(
    session: Session,
    settings: TestSettings,
    simulated: bool,
    prepared: Sequence[Prepared],
    texts: dict[str, str],
    now: float,
) -> str:
    """Write the design into an empty database, or again where nobody came; returns the secret."""
    row = session.execute(select(StudyRow)).scalar_one_or_none()
    if row is not None and row.config_hash == settings.hash:
        return row.secret
    for table in (CellRow, ConditionRow, StimulusRow, PromptRow, StudyRow):
        session.execute(delete(table))
    secret = secrets.token_hex(32)
    session.add(
        StudyRow(
            id=1,
            name=settings.name,
            config_hash=settings.hash,
            settings=settings.model_dump(mode="json"),
            simulated=simulated,
            secret=secret,
            created_at=now,
        )
    )
    session.add_all(PromptRow(id=prompt, text=text) for prompt, text in texts.items())
    session.add_all(_stimulus_row(clip) for clip in prepared)
    _add_design(session, settings, prepared)
    return secret


def _stimulus_row(clip: Prepared) -> StimulusRow:
    return StimulusRow(**{k: v for k, v in asdict(clip).items() if k != "expected"})


def _add_design(session: Session, settings: TestSettings, prepared: Sequence[Prepared]) -> None:
    stimuli = [Stimulus(clip.clip_id, clip.prompt_id, clip.system, clip.role) for clip in prepared]
    rows = [_condition_row("main", c, None) for c in settings.test.conditions(stimuli)]
    orders = [len(settings.test.orders(len(row.clips))) for row in rows]
    rows += _check_rows(settings, stimuli)
    rows += [
        _condition_row("headphones", Condition(clip.prompt_id, (clip.clip_id,)), clip.expected)
        for clip in prepared
        if clip.role == "headphones"
    ]
    for number, row in enumerate(rows):
        row.id = number
    session.add_all(rows)
    session.flush()
    session.add_all(
        CellRow(condition_id=number, presentation=k, n_open=0, n_answered=0)
        for number, n_orders in enumerate(orders)
        for k in range(n_orders)
    )


def _condition_row(kind: str, condition: Condition, expected: str | None) -> ConditionRow:
    return ConditionRow(
        kind=kind,
        prompt_id=condition.prompt_id,
        clips=list(condition.clips),
        reference=condition.reference,
        expected=expected,
    )


def _check_rows(settings: TestSettings, stimuli: Sequence[Stimulus]) -> Iterator[ConditionRow]:
    clips = {(s.prompt_id, s.system): s.clip_id for s in stimuli}
    references = {s.prompt_id: s.clip_id for s in stimuli if s.role == "reference"}
    for kind, trials in (("gold", settings.checks.gold), ("trap", settings.checks.traps)):
        for trial in trials:
            chosen = tuple(_clip_of(trial, system, clips) for system in trial.systems)
            # What is expected is stored as the clip to choose, because sides are drawn later.
            expected = clips.get((trial.prompt, trial.expected), trial.expected)
            reference = references.get(trial.prompt) if settings.test.needs_reference else None
            yield _condition_row(kind, Condition(trial.prompt, chosen, reference), expected)


def _clip_of(trial: CheckTrial, system: str, clips: dict[tuple[str, str], str]) -> str:
    if (trial.prompt, system) not in clips:
        raise DataError(
            f"checks in {SETTINGS_NAME}: system '{system}' has no clip of prompt '{trial.prompt}'"
        )
    return clips[trial.prompt, system]
