"""Which trial comes next: drawn from the counts, and written down before it is shown."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import cast

import numpy as np
from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from auralign.listen.design.assignment import Cells, Drawn, draw
from auralign.listen.design.schedule import Kind
from auralign.listen.store.tables import CellRow, SessionRow, TrialRow
from auralign.listen.study import ListenStudy

OPEN, ANSWERED, RELEASED, FAILED, SUPERSEDED = (
    "open",
    "answered",
    "released",
    "failed",
    "superseded",
)
LIVE = (OPEN, ANSWERED)
LOOK_AHEAD = 2
"""Open trials of a sitting: the one on the page, and the next one, whose clips it fetches."""
VOID = "void"
"""Stands in a schedule where nothing was left to draw."""

# These run with every answer: they are put together once, and counts are no objects of the session.
_TRIALS = (
    select(TrialRow)
    .where(TrialRow.session_id == bindparam("session"))
    .order_by(TrialRow.position, TrialRow.attempt)
)
_CELLS = cast(Table, CellRow.__table__)
_CELL = _CELLS.c
_COUNT = (
    update(_CELLS)
    .where(_CELL.condition_id == bindparam("condition"), _CELL.presentation == bindparam("order"))
    .values(
        n_open=_CELL.n_open + bindparam("opened"),
        n_answered=_CELL.n_answered + bindparam("answered"),
    )
)
_COUNTS = select(_CELL.condition_id, _CELL.presentation, _CELL.n_open + _CELL.n_answered)


def draw_ahead(
    db: Session, study: ListenStudy, sitting: SessionRow, trials: list[TrialRow]
) -> None:
    """Add trials to those of the sitting until `LOOK_AHEAD` are open or its schedule ends.

    Trials about clips wait for the headphone check, so that nobody who fails it takes a place. A
    place for which nothing is left stays empty.
    """
    schedule = list(sitting.schedule)
    for position, kind in enumerate(schedule):
        live = [trial for trial in trials if trial.state in LIVE]
        if sum(trial.state == OPEN for trial in live) >= LOOK_AHEAD:
            break
        if kind == VOID or any(trial.position == position for trial in live):
            continue
        if kind != Kind.HEADPHONES and not _headphones_done(schedule, live):
            break
        drawn = _draw_at(db, study, sitting, position, trials)
        if drawn is None:
            schedule[position] = VOID
        else:
            db.add(drawn)
            trials.append(drawn)
    if schedule != sitting.schedule:
        sitting.schedule = schedule


def trials_of(db: Session, sitting: SessionRow) -> list[TrialRow]:
    """All trials of a sitting, by position."""
    return list(db.execute(_TRIALS, {"session": sitting.id}).scalars())


def current_trial(trials: Sequence[TrialRow]) -> TrialRow | None:
    """The open trial that comes first."""
    return next((trial for trial in trials if trial.state == OPEN), None)


def set_state(db: Session, trial: TrialRow, state: str) -> None:
    """Move a trial to another state, and its cell's counts with it."""
    if trial.kind == Kind.MAIN:
        db.execute(
            _COUNT,
            {
                "condition": trial.condition_id,
                "order": trial.presentation,
                "opened": _change(trial.state, state, OPEN),
                "answered": _change(trial.state, state, ANSWERED),
            },
        )
    trial.state = state


def _change(before: str, after: str, counted: str) -> int:
    return int(after == counted) - int(before == counted)


def _headphones_done(schedule: Sequence[str], live: Sequence[TrialRow]) -> bool:
    answered = sum(t.kind == Kind.HEADPHONES and t.state == ANSWERED for t in live)
    return answered == schedule.count(Kind.HEADPHONES)


def _draw_at(
    db: Session, study: ListenStudy, sitting: SessionRow, position: int, trials: list[TrialRow]
) -> TrialRow | None:
    kind = Kind(sitting.schedule[position])
    attempt = sum(trial.position == position for trial in trials)
    rng = np.random.default_rng([study.settings.seed, sitting.number, position, attempt])
    repeated = _to_repeat(trials) if kind is Kind.REPEAT else None
    if repeated is not None:
        drawn: Drawn | None = _other_order(study, repeated)
    elif kind is Kind.MAIN:
        drawn = _draw_main(db, study, trials, rng)
    else:
        drawn = _draw_check(study, kind, trials, rng)
    if drawn is None:
        return None
    trial = TrialRow(
        id=secrets.token_hex(12),
        session_id=sitting.id,
        position=position,
        attempt=attempt,
        kind=kind,
        condition_id=drawn.condition,
        presentation=drawn.order,
        presented=_presented(study, drawn),
        repeats=repeated.id if repeated else None,
        state=FAILED,
        drawn_at=study.clock(),
        shown_at=None,
    )
    set_state(db, trial, OPEN)
    return trial


def _draw_main(
    db: Session, study: ListenStudy, trials: Sequence[TrialRow], rng: np.random.Generator
) -> Drawn | None:
    rows = [tuple(row) for row in db.execute(_COUNTS)]
    cells = np.array(rows, dtype=np.int64).reshape(-1, 3)
    main = [trial for trial in trials if trial.kind == Kind.MAIN]
    return draw(
        Cells(cells[:, 0], cells[:, 1], cells[:, 2]),
        seen={trial.condition_id for trial in main},
        own_orders=Counter(trial.presentation for trial in main if trial.state in LIVE),
        quota=study.settings.design.answers_per_condition,
        rng=rng,
    )


def _draw_check(
    study: ListenStudy, kind: Kind, trials: Sequence[TrialRow], rng: np.random.Generator
) -> Drawn | None:
    """A condition that the sitting has not met in this role, in a drawn order; not counted."""
    # Training takes conditions of the main part, and so does a repeat that has nothing to repeat.
    wanted = kind if kind in (Kind.HEADPHONES, Kind.GOLD, Kind.TRAP) else Kind.MAIN
    live = {t.condition_id for t in trials if t.kind == kind and t.state in LIVE}
    free = [row for row in study.plan.of_kind.get(wanted, ()) if row.id not in live]
    if not free or kind is Kind.REPEAT:
        return None
    condition = free[int(rng.integers(len(free)))]
    n_orders = len(study.settings.test.orders(len(condition.clips)))
    return Drawn(condition.id, 0 if kind is Kind.HEADPHONES else int(rng.integers(n_orders)))


def _to_repeat(trials: Sequence[TrialRow]) -> TrialRow | None:
    """The earliest main trial that was not repeated yet."""
    repeated = {trial.repeats for trial in trials if trial.state in LIVE}
    main = (t for t in trials if t.kind == Kind.MAIN and t.state in LIVE and t.id not in repeated)
    return next(main, None)


def _other_order(study: ListenStudy, repeated: TrialRow) -> Drawn:
    """The same clips in the next order; for a pair that is with sides changed."""
    n_clips = len(study.plan.conditions[repeated.condition_id].clips)
    n_orders = len(study.settings.test.orders(n_clips))
    return Drawn(repeated.condition_id, (repeated.presentation + 1) % n_orders)


def _presented(study: ListenStudy, drawn: Drawn) -> list[str]:
    """Clip ids as presented."""
    condition = study.plan.conditions[drawn.condition]
    if condition.kind == Kind.HEADPHONES:
        return list(condition.clips)
    order = study.settings.test.orders(len(condition.clips))[drawn.order]
    return [condition.clips[place] for place in order]
