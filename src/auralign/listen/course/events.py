"""Events as a page sends them, kept in batches; the same batch may be sent again."""

from __future__ import annotations

from pydantic import Field
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from auralign.data import StrictModel
from auralign.listen.course.telemetry import MAX_EVENTS, Event
from auralign.listen.store.tables import EventBatchRow

_EVENTS = select(EventBatchRow.events).where(EventBatchRow.trial_id == bindparam("trial"))


class EventsIn(StrictModel):
    """Events of one trial; `dropped` is how many the page let go because there were too many."""

    events: tuple[Event, ...] = Field(max_length=MAX_EVENTS)
    dropped: int = Field(default=0, ge=0)


def store_events(db: Session, trial_id: str, sent: EventsIn, now: float) -> list[Event]:
    """Keep the events that are new, up to `MAX_EVENTS` of a trial; returns all that are kept."""
    stored = stored_events(db, trial_id)
    known = {event.n for event in stored}
    new = [event for event in sent.events if event.n not in known]
    kept = new[: max(0, MAX_EVENTS - len(known))]
    if kept:
        db.add(
            EventBatchRow(
                trial_id=trial_id,
                first=kept[0].n,
                events=[event.model_dump(exclude_none=True) for event in kept],
                dropped=sent.dropped + len(new) - len(kept),
                received_at=now,
            )
        )
    return sorted([*stored, *kept], key=lambda event: event.n)


def stored_events(db: Session, trial_id: str) -> list[Event]:
    """All events of a trial by number."""
    batches = db.execute(_EVENTS, {"trial": trial_id}).scalars()
    events = [Event(**event) for batch in batches for event in batch]
    return sorted(events, key=lambda event: event.n)
