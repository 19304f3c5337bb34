"""What a test presents, read once: it does not change after the first listener has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from auralign.listen.store.tables import ConditionRow, PromptRow, StimulusRow


@dataclass(frozen=True, eq=False)
class Plan:
    """Conditions by number and by kind, clips by id, texts of prompts; rows of no session."""

    conditions: Mapping[int, ConditionRow]
    of_kind: Mapping[str, Sequence[ConditionRow]]
    stimuli: Mapping[str, StimulusRow]
    prompts: Mapping[str, str]


def read_plan(db: Session) -> Plan:
    """The plan as it stands in the database."""
    rows = db.execute(select(ConditionRow).order_by(ConditionRow.id)).scalars().all()
    stimuli = {row.clip_id: row for row in db.execute(select(StimulusRow)).scalars()}
    prompts = {row.id: row.text for row in db.execute(select(PromptRow)).scalars()}
    of_kind: dict[str, list[ConditionRow]] = {}
    for row in rows:
        of_kind.setdefault(row.kind, []).append(row)
    db.expunge_all()
    return Plan({row.id: row for row in rows}, of_kind, stimuli, prompts)
