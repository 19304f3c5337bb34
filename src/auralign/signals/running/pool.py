"""Worker processes that may die: what they have answered is kept, the rest is asked again.

A pool of `concurrent.futures` breaks as a whole when one process is killed, and does not say over
which clip. Here every worker has a pipe of its own: rows come through it as they become known, and
its end says who died over what.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from multiprocessing import connection, get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from auralign.errors import AuralignError
from auralign.signals.registry import MODULES
from auralign.signals.running.plan import Task
from auralign.signals.running.results import Row

TRIES = 2
"""A signal over which this many workers died, alone with one clip, has failed on it."""
DIED = "the worker process died"

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Said(Enum):
    """What a worker says beside rows, or an error while it loads."""

    LOADED = auto()
    DONE = auto()


@dataclass(slots=True)
class _Job:
    """A task, how many workers died over it, and what is known of it."""

    task: Task
    deaths: int = 0
    answered: list[tuple[str, str]] = field(default_factory=list)
    loaded: bool = False


@dataclass(frozen=True, eq=False)
class _Process:
    process: BaseProcess
    pipe: Connection

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Pool:
    """Up to `n_workers` processes; use it as a context.

    A program that starts one has to be importable without doing its work again, as everywhere with
    `multiprocessing`: its work stands below `if __name__ == "__main__":`.
    """

    def __init__(self, n_workers: int, cache: Path | None = None) -> None:
        self._n_workers = n_workers
        self._cache = cache
        self._idle: list[_Process] = []
        self._busy: dict[Connection, tuple[_Process, _Job]] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in [*self._idle, *(process for process, _ in self._busy.values())]:
            process.end()

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Row]]:
        """The rows of the tasks as they become known, in no order.

        Raises what loading a signal raised, and AuralignError when workers die while they load.
        """
        jobs = deque(map(_Job, tasks))
        while jobs or self._busy:
            while jobs and len(self._busy) < self._n_workers:
                self._give(jobs.popleft())
            for pipe in connection.wait(list(self._busy)):
                assert isinstance(pipe, Connection)
                process, job = self._busy[pipe]
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    yield self._bury(process, job, jobs)
                else:
                    yield self._take(message, process, job)

    def _give(self, job: _Job) -> None:
        process = self._idle.pop() if self._idle else _start(self._cache)
        self._busy[process.pipe] = process, job
        # A worker that died since its last task is noticed when its pipe is read.
        with contextlib.suppress(OSError):
            process.pipe.send(job.task)

    def _take(
        self, said: _Said | AuralignError | list[Row], process: _Process, job: _Job
    ) -> list[Row]:
        """The rows, if a worker said some."""
        if isinstance(said, AuralignError):
            raise said
        if isinstance(said, list):
            job.answered += [(row.clip, row.signal) for row in said]
            return said
        job.loaded = True
        if said is _Said.DONE:
            del self._busy[process.pipe]
            self._idle.append(process)
        return []

    def _bury(self, process: _Process, job: _Job, jobs: deque[_Job]) -> list[Row]:
        """Put what a dead worker left in front again; the row of an answer that is given up."""
        del self._busy[process.pipe]
        process.end()
        left, deaths = job.task.without(job.answered), job.deaths + 1
        if not job.loaded:
            _check_loads(job.task, deaths)
            jobs.appendleft(_Job(left, deaths))
            return []
        if len(left.works) > 1:
            jobs.extendleft(map(_Job, reversed(left.by_clip())))
            return []
        lost: list[Row] = []
        if left.works and deaths >= TRIES:
            lost, left, deaths = [left.first_failed(DIED)], left.without(left.answers()[:1]), 0
        if left.works:
            jobs.appendleft(_Job(left, deaths))
        return lost


def _check_loads(task: Task, deaths: int) -> None:
    if deaths >= TRIES:
        names = ", ".join(request.signal for request in task.requests)
        raise AuralignError(
            f"{deaths} worker processes died while they loaded {names}: run with --workers 1 "
            "to see why, or leave signals out"
        )


def _start(cache: Path | None) -> _Process:
    # A fork server has imported everything once, so that a worker that died is soon replaced.
    forks = "forkserver" in get_all_start_methods()
    context: Any = get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload([f"{__package__}.work", *MODULES])
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, cache), daemon=True)
    with _one_thread():
        process.start()
    theirs.close()
    return _Process(process, ours)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start here use one thread each; they would wait for each other's threads."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update({name: before[name] or "1" for name in _ONE_THREAD})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def _serve(pipe: Connection, cache: Path | None) -> None:
    """What a worker process does until its pipe is closed."""
    from auralign.signals.running.cache import Cache
    from auralign.signals.running.work import Worker, portable

    worker = Worker(Cache(cache) if cache else None)
    with contextlib.suppress(EOFError, ConnectionError, KeyboardInterrupt):
        while True:
            task = pipe.recv()
            try:
                worker.load(task.requests)
            except AuralignError as error:
                pipe.send(portable(error))
                return
            pipe.send(_Said.LOADED)
            for rows in worker.do(task):
                pipe.send(rows)
            pipe.send(_Said.DONE)
