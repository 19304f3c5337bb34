"""The same plan on a Ray cluster, through Ray Data.

A block is one task, so what a node or process takes along when it dies is one task. What failed or
got lost is asked again: clip by clip, then answer by answer.
"""

from __future__ import annotations

import functools
import importlib
import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from auralign.errors import AuralignError, ConfigError, MissingExtraError
from auralign.signals.running.plan import Task
from auralign.signals.running.pool import DIED
from auralign.signals.running.results import Row, from_line, to_line
from auralign.signals.running.work import Worker, portable
from auralign.types import ScoreStatus

Block = dict[str, bytes]


def run_on_ray(plan: Sequence[Sequence[Task]]) -> Iterator[list[Row]]:
    """The rows of all passes, one pass after the other, as they become known.

    Nodes read the clips by the same paths as this one, and have the same packages. Raises
    MissingExtraError without Ray, ConfigError when there is no cluster, and what loading a signal
    raised.
    """
    ray = _ray()
    for tasks in plan:
        yield from _with_retries(ray, tasks)


def _with_retries(ray: Any, tasks: Sequence[Task]) -> Iterator[list[Row]]:
    """Rows that failed are held back until asking again did not help."""
    failed: dict[tuple[str, str], Row] = {}
    for split in (Task.by_clip, Task.by_answer, Task.by_answer):
        answered: set[tuple[str, str]] = set()
        for row in _map(ray, tasks):
            if _has_failed(row):
                failed[row.clip, row.signal] = row
            else:
                answered.add((row.clip, row.signal))
                yield [row]
        left = [task.without(answered) for task in tasks]
        tasks = [part for task in left if task.works for part in split(task)]
        if not tasks:
            return
    yield [failed.get(task.answers()[0]) or task.first_failed(DIED) for task in tasks]


def _has_failed(row: Row) -> bool:
    return any(score.status is ScoreStatus.FAILED for score in row.scores)


def _map(ray: Any, tasks: Sequence[Task]) -> Iterator[Row]:
    """What the cluster makes of the tasks; a task that is lost leaves no rows."""
    blocks = [{"task": pickle.dumps(task)} for task in tasks]
    settings = ray.data.DataContext.get_current().copy()
    settings.max_errored_blocks = -1
    settings.enable_progress_bars = False
    with ray.data.DataContext.current(settings):
        data = ray.data.from_items(blocks, override_num_blocks=len(blocks))
        answers = data.flat_map(_do, num_cpus=1, max_retries=0)
    for block in answers.iter_rows():
        if block["error"]:
            raise pickle.loads(block["error"])
        yield from_line(block["row"])


def _do(block: Block) -> list[Block]:
    """Runs on the cluster: the rows of a task as lines, or why its signals cannot be loaded."""
    task: Task = pickle.loads(block["task"])
    try:
        _worker().load(task.requests)
    except AuralignError as error:
        return [{"row": b"", "error": pickle.dumps(portable(error))}]
    rows = (row for rows in _worker().do(task) for row in rows)
    return [{"row": to_line(row), "error": b""} for row in rows]


@functools.cache
def _worker() -> Worker:
    """One for each process of the cluster, so that it loads a model once."""
    return Worker()


def _ray() -> Any:
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ModuleNotFoundError as error:
        raise MissingExtraError("ray", "ray") from error
    if not ray.is_initialized():
        try:
            ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
        except ConnectionError as error:
            raise ConfigError(
                "expected a Ray cluster, found none: start one with `ray start --head`, or name "
                "one with RAY_ADDRESS"
            ) from error
    return ray
