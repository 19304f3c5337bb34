"""The tables of a listening test. Times are seconds since 1970 by the server's clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from auralign.listen.store.columns import Json


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can find it in any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012


class StudyRow(Base):
    """The one study of this database; `config_hash` is fixed when the first listener comes."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    config_hash: Mapped[str]
    settings: Mapped[dict[str, Any]]
    simulated: Mapped[bool]
    secret: Mapped[str]
    created_at: Mapped[float]
    closed_at: Mapped[float | None]


class StimulusRow(Base):
    """A clip as it is played: what was measured, and the gain that was applied."""

    __tablename__ = "stimulus"

    clip_id: Mapped[str] = mapped_column(primary_key=True)
    prompt_id: Mapped[str] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    path: Mapped[str]
    duration_s: Mapped[float]
    sound_s: Mapped[float]
    loudness_lufs: Mapped[float | None]
    true_peak_dbtp: Mapped[float | None]
    gain_db: Mapped[float]


class PromptRow(Base):
    __tablename__ = "prompt"

    id: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str]


class ConditionRow(Base):
    """A set of clips that is judged together; `clips` are ids in the order of the design."""

    __tablename__ = "condition"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    prompt_id: Mapped[str]
    clips: Mapped[list[Any]]
    reference: Mapped[str | None]
    expected: Mapped[str | None]


class CellRow(Base):
    """How often a condition of the main part is open and answered in one of its orders."""

    __tablename__ = "cell"

    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id"), primary_key=True)
    presentation: Mapped[int] = mapped_column(primary_key=True)
    n_open: Mapped[int] = mapped_column(default=0)
    n_answered: Mapped[int] = mapped_column(default=0)


class SessionRow(Base):
    """One sitting of one listener. `id` is a pseudonym; the token is known by its hash only."""

    __tablename__ = "session"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    withdrawal_hash: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(index=True)
    tab: Mapped[str | None]
    schedule: Mapped[list[Any]]
    headphone_attempts: Mapped[int] = mapped_column(default=0)
    question_order: Mapped[int]
    consent_version: Mapped[str]
    consent_hash: Mapped[str]
    consented_at: Mapped[float]
    platform: Mapped[str]
    locale: Mapped[str]
    device: Mapped[dict[str, Any]]
    resumes: Mapped[int] = mapped_column(default=0)
    last_seen_at: Mapped[float] = mapped_column(index=True)
    finished_at: Mapped[float | None]


class PlatformIdRow(Base):
    """Who a listener is on a recruiting platform; can be erased without touching an answer."""

    __tablename__ = "platform_id"

    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), primary_key=True)
    ids: Mapped[dict[str, Any]]


class TrialRow(Base):
    """A trial, written before it is shown: clips as presented, and the place in the sitting."""

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("session_id", "position", "attempt"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"))
    position: Mapped[int]
    attempt: Mapped[int]
    kind: Mapped[str]
    condition_id: Mapped[int] = mapped_column(ForeignKey("condition.id"))
    presentation: Mapped[int]
    presented: Mapped[list[Any]]
    repeats: Mapped[str | None]
    state: Mapped[str] = mapped_column(index=True)
    drawn_at: Mapped[float]
    shown_at: Mapped[float | None]


class AnswerRow(Base):
    """One answer to one trial; the unique trial is what makes it exactly one."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("session_id", "key"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"))
    key: Mapped[str]
    payload_hash: Mapped[str]
    replies: Mapped[dict[str, Any]]
    listening: Mapped[dict[str, Any]]
    flags: Mapped[list[Any]]
    late: Mapped[bool]
    client_ms: Mapped[float]
    received_at: Mapped[float]


class EventBatchRow(Base):
    """Events of a trial as the page sent them."""

    __tablename__ = "event_batch"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True)
    events: Mapped[list[Any]]
    dropped: Mapped[int]
    received_at: Mapped[float]


class VerdictRow(Base):
    """What one version of a screening rule says of a listener; the answers stay."""

    __tablename__ = "verdict"

    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    passed: Mapped[bool]
    detail: Mapped[str]
    judged_at: Mapped[float]


class CompletionRow(Base):
    """The code of a sitting, made once, when all of its answers are stored."""

    __tablename__ = "completion"

    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), primary_key=True)
    code: Mapped[str]
    outcome: Mapped[str]
    made_at: Mapped[float]


class AuditRow(Base):
    """What the organiser did and what was refused: peeks, closing, withdrawals, forged ids."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "what"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[float]
