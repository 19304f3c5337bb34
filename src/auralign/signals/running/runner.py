"""Runs: clips in files, asked by signals, into a file of results that a killed run goes on with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from auralign.audio import clip_id, read_audio
from auralign.errors import AudioError, ConfigError, RunStateError
from auralign.signals.ask import Request
from auralign.signals.registry import check_options, find
from auralign.signals.running.cache import Cache
from auralign.signals.running.plan import ClipFile, Task, longest_first, passes, tasks
from auralign.signals.running.pool import Pool
from auralign.signals.running.results import ResultsFile, Row
from auralign.signals.running.work import Worker

Engine = Literal["local", "ray"]
FEWEST_CLIPS = 16
"""By default another process is started for as many clips; fewer are done before it is up."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: rows that were there, and rows that it added."""

    out: Path
    n_clips: int
    n_reused: int
    n_new: int


Progress = Callable[[int, int], None]
"""Called with the number of answers that are known and that are asked for."""


def run_signals(
    clips: Iterable[ClipFile],
    requests: Sequence[Request],
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    engine: Engine = "local",
    cache: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress = lambda known, asked: None,
) -> Run:
    """Ask every signal about every clip and write what they say to `out`, JSON Lines.

    A file that is there is gone on with: what it holds is not asked again; `force` replaces it.
    `workers` processes share the work (by default one for each core); a process that is killed
    costs nothing that was written, and a clip that kills processes gets the status failed. With
    the engine `ray` the cluster that `ray.init` finds shares it. `cache` names a file of answers
    that were given before, to clips of the same content.

    Raises ConfigError for two clips of one name and for unknown signals or options,
    MissingExtraError for one that is not installed, DataError and RunStateError when `out` does
    not fit, as when a clip was changed after it was measured.
    """
    clips = list(clips)
    _check(clips, requests)
    ordered = longest_first(clips)
    asked = {r.signal: (find(r.signal).version, r.options) for r in requests}
    if cache is not None:
        if engine == "ray":
            raise ConfigError("the cache is a file of this machine: leave it out with --engine ray")
        Cache(cache).close()
    given = {clip.name: clip.given() for clip in ordered}
    changed = [clip for clip in ordered if _is_newer(clip, Path(out))]
    with ResultsFile.open(out, asked, given, force=force) as results:
        _check_unchanged(changed, results)
        names = {clip.name for clip in ordered}
        reused = sum(len(results.done.get(name, set()) & asked.keys()) for name in names)
        known, total = reused, len(names) * len(asked)
        progress(known, total)
        n_workers = _n_workers(workers, len(ordered))
        plan = [tasks(each, ordered, results.done, n_workers) for each in passes(requests)]
        for rows in _answers(plan, engine, n_workers, Path(cache) if cache else None):
            results.append(rows)
            known += len(rows)
            progress(known, total)
    return Run(Path(out), len(ordered), reused, known - reused)


def _is_newer(clip: ClipFile, out: Path) -> bool:
    """The clip's file, or its reference, was written after the results were."""
    files = [path for path in (clip.path, clip.reference) if path and path.exists()]
    return out.exists() and any(f.stat().st_mtime > out.stat().st_mtime for f in files)


def _check_unchanged(newer: Iterable[ClipFile], results: ResultsFile) -> None:
    for clip in newer:
        if clip.name in results.done and (clip.reference or _differs(clip, results)):
            raise RunStateError(
                f"{clip.path} or its reference was changed after {results.path} was written: "
                "choose another --out, or use --force to measure all of it again"
            )


def _differs(clip: ClipFile, results: ResultsFile) -> bool:
    try:
        return clip_id(read_audio(clip.path)) != results.clip_ids[clip.name]
    except AudioError:
        return results.clip_ids[clip.name] is not None


def _check(clips: Iterable[ClipFile], requests: Sequence[Request]) -> None:
    seen: set[str] = set()
    for clip in clips:
        if clip.name in seen:
            raise ConfigError(f"the clip '{clip.name}' is given twice: name it once")
        seen.add(clip.name)
    for request in requests:
        check_options(find(request.signal), request.options)


def _n_workers(workers: int | None, n_clips: int) -> int:
    if workers is not None:
        return workers
    return max(min(_n_cores(), n_clips // FEWEST_CLIPS), 1)


def _n_cores() -> int:
    """Those that this process may use, where the system says."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def _answers(
    plan: Sequence[Sequence[Task]], engine: Engine, n_workers: int, cache: Path | None
) -> Iterator[list[Row]]:
    """The rows of all passes, one pass after the other."""
    if engine == "ray":
        from auralign.signals.running.ray_engine import run_on_ray

        yield from run_on_ray(plan)
    elif n_workers == 1:
        with contextlib.closing(Cache(cache)) if cache else contextlib.nullcontext() as known:
            worker = Worker(known)
            for task in (task for each in plan for task in each):
                worker.load(task.requests)
                yield from worker.do(task)
    else:
        with Pool(n_workers, cache) as pool:
            for each in plan:
                yield from pool.run(each)
