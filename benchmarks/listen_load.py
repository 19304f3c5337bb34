"""The listening-test server under load: 200 simulated listeners at once, and `kill -9` on the way.

The server is `auralign listen serve`, a process of its own, and so are its listeners. They hear for
a time between a trial and its answer, as people do; without that, each one waits for all others,
and only the rate of answers says something. Answers are counted in the database afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import create_engine, text

from auralign.audio import as_audio, write_wav
from benchmarks.claims import Claim, Report

SEED = 0
RATE, CLIP_S, SYSTEMS, N_PROMPTS = 16_000, 2.0, ("base", "tuned", "other"), 20
THINK_S = (2.5, 7.5)
P95_MS = 100
START_S = 120.0
N_WORKERS, N_LANES, N_KILL_LISTENERS = 2, 2, 10


@dataclass(frozen=True)
class Sizes:
    """How many listeners, answers of each with and without thinking, and kills."""

    listeners: int
    answers: int
    answers_in_a_row: int
    kills: int


FULL, QUICK = Sizes(200, 6, 4, 100), Sizes(20, 2, 3, 6)


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    sizes = QUICK if quick else FULL
    details: dict[str, Any] = {}
    claims: list[Claim] = []
    with tempfile.TemporaryDirectory() as parent:
        folder = write_test(Path(parent) / "sqlite")
        claims += _under_load("SQLite", folder, sizes, details)
        claims += _without_thinking("SQLite", folder, sizes, details)
        claims.append(_killed(Path(parent) / "killed", sizes, details))
        with postgres() as url:
            if url is None:
                details["PostgreSQL"] = "left out: initdb is not installed"
            else:
                served = write_test(Path(parent) / "postgres")
                claims += _under_load("PostgreSQL", served, sizes, details, url)
                claims += _without_thinking("PostgreSQL", served, sizes, details, url)
    return Report(
        claims=claims,
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes=vars(sizes),
        details=details,
    )


def write_test(folder: Path) -> Path:
    """A test of pairs of noises, with limits that one machine full of listeners does not meet."""
    rng = np.random.default_rng(SEED)
    for system in SYSTEMS:
        for prompt in range(N_PROMPTS):
            samples = rng.uniform(-0.3, 0.3, round(CLIP_S * RATE))
            write_wav(as_audio(samples, RATE), folder / "clips" / system / f"{prompt}.wav")
    settings = {
        "name": "Load",
        "test": {"type": "ab"},
        "clips": {"sample_rate": RATE},
        # Listeners who are in a hurry claim to have heard what nobody could have heard by then.
        "playback": {"if_unheard": "flag"},
        "design": {"trials": 12},
        "limits": {"requests_per_minute": 10**6, "sessions_per_minute": 10**6},
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _under_load(
    name: str, folder: Path, sizes: Sizes, details: dict[str, Any], url: str | None = None
) -> Iterator[Claim]:
    found = _load(folder, sizes.listeners, sizes.answers, THINK_S, url)
    details[f"{name}, thinking"] = _summary(found)
    n, rate = len(found["acknowledged"]), found["answers_per_second"]
    how = (
        f"{sizes.listeners} listeners at once, each {THINK_S[0]:g} to {THINK_S[1]:g} s from trial "
    )
    how += f"to answer, {rate:.0f} answers/s with their trials and clips; {_quantiles(found)}"
    yield Claim(f"{name}: p95 of an answer [ms]", "<=", P95_MS, _quantile(found, 0.95), how)
    how = f"{n} acknowledged, {len(found['refused'])} refused"
    wrong = _wrong(folder, url, found["acknowledged"])
    yield Claim(f"{name}: acknowledged answers not stored exactly once", "<=", 0, wrong, how)


def _without_thinking(
    name: str, folder: Path, sizes: Sizes, details: dict[str, Any], url: str | None = None
) -> Iterator[Claim]:
    found = _load(folder, sizes.listeners, sizes.answers_in_a_row, (0.0, 0.0), url)
    details[f"{name}, not thinking"] = _summary(found)
    how = f"{sizes.listeners} listeners who answer at once: each waits for all others, so that the "
    how += f"machine's speed sets the time of an answer: {_quantiles(found)}"
    yield Claim(f"{name}: answers/s without thinking", ">", 0, found["answers_per_second"], how)
    wrong = _wrong(folder, url, found["acknowledged"])
    how = f"{len(found['acknowledged'])} acknowledged, {len(found['refused'])} refused"
    name = f"{name} without thinking: acknowledged answers not stored exactly once"
    yield Claim(name, "<=", 0, wrong, how)


def _load(
    folder: Path, listeners: int, answers: int, think_s: tuple[float, float], url: str | None
) -> dict[str, Any]:
    with served(folder, url) as (server, address):
        processor = _processor_seconds(server)
        with _listeners(address, listeners, answers, think_s) as client:
            assert client.stdout is not None, "a pipe"
            # Until its end, with standard input open: its end would tell them to stop.
            found: dict[str, Any] = json.loads(client.stdout.read())
        spent = _processor_seconds(server) - processor
    n = len(found["acknowledged"])
    return found | {
        "processor_ms": 1_000 * spent / n,
        "answers_per_second": n / found["seconds"],
    }


def _killed(parent: Path, sizes: Sizes, details: dict[str, Any]) -> Claim:
    """Servers are killed at moments of their work, and their listeners go on with the next one."""
    kills = [sizes.kills // N_LANES] * N_LANES
    with ThreadPoolExecutor(N_LANES) as pool:
        lanes = list(pool.map(_kill_lane, (parent / str(i) for i in range(N_LANES)), kills))
    details["killed"] = [_summary(found) for found, _ in lanes]
    n_acknowledged = sum(len(found["acknowledged"]) for found, _ in lanes)
    n_again = sum(found["sent_again"] for found, _ in lanes)
    how = f"{sum(kills)} kills under load of {N_LANES} servers, {n_acknowledged} answers "
    how += f"acknowledged, {n_again} requests sent again"
    wrong = sum(wrong for _, wrong in lanes)
    return Claim("kill -9: acknowledged answers lost, changed or doubled", "<=", 0, wrong, how)


def _kill_lane(folder: Path, kills: int) -> tuple[dict[str, Any], int]:
    """What the listeners of one server had acknowledged, and how much of it is wrong."""
    write_test(folder)
    rng, port = random.Random(str(folder.name)), _free_port()
    arguments = (f"http://127.0.0.1:{port}", N_KILL_LISTENERS, 10**6, (0.0, 0.1))
    with _listeners(*arguments) as client:
        for _ in range(kills):
            server = _start(folder, None, port)
            _wait_for(arguments[0])
            time.sleep(rng.uniform(0.2, 1.2))
            server.send_signal(signal.SIGKILL)
            server.wait()
        with served(folder, None, port):
            time.sleep(1.0)
            found: dict[str, Any] = json.loads(client.communicate()[0])
    return found, _wrong(folder, None, found["acknowledged"])


def _wrong(folder: Path, url: str | None, acknowledged: Mapping[str, str]) -> int:
    """Acknowledged answers that are not there once as they were given, and counts that are off."""
    engine = create_engine(url or f"sqlite:///{folder / 'listen.sqlite'}")
    with engine.connect() as db:
        rows = db.execute(text("SELECT trial_id, replies FROM answer")).all()
        counted = db.execute(text("SELECT sum(n_answered) FROM cell")).scalar_one()
    engine.dispose()
    stored: dict[str, list[str]] = {}
    for trial, replies in rows:
        stored.setdefault(trial, []).append(json.loads(replies)["overall"]["value"])
    wrong = sum(stored.get(trial) != [value] for trial, value in acknowledged.items())
    return wrong + abs(int(counted) - len(rows))


@contextlib.contextmanager
def served(
    folder: Path, url: str | None, port: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`auralign listen serve` while the body runs; with PostgreSQL it has `N_WORKERS`."""
    port = port or _free_port()
    server = _start(folder, url, port)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield server, address
    finally:
        server.terminate()
        server.wait()


def _start(folder: Path, url: str | None, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "auralign", "listen", "serve", str(folder)]
    command += ["--port", str(port)]
    command += ["--db", url, "--workers", str(N_WORKERS)] if url else []
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _wait_for(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the server did not start within {START_S:g} s")


@contextlib.contextmanager
def _listeners(
    address: str, n_listeners: int, n_answers: int, think_s: tuple[float, float]
) -> Iterator[subprocess.Popen[str]]:
    arguments = {"url": address, "n_listeners": n_listeners, "n_answers": n_answers}
    arguments |= {"think_s": think_s, "seed": SEED}
    command = [sys.executable, "-m", "benchmarks.listeners", json.dumps(arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The address of a new PostgreSQL on a socket of its own; None where it is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        yield None
        return
    # It does not run as root.
    owner = "postgres" if os.geteuid() == 0 else None
    folder = tempfile.mkdtemp(prefix="pg")
    if owner:
        shutil.chown(folder, owner)

    def run(program: str, *words: str) -> None:
        command = [str(folders[-1] / program), "-D", f"{folder}/data", *words]
        subprocess.run(command, user=owner, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-A", "trust", "-U", "tester")
    options = f"-k {folder} -c listen_addresses=''"
    run("pg_ctl", "-l", f"{folder}/log", "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://tester@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _processor_seconds(server: subprocess.Popen[bytes]) -> float:
    """Of the server and its workers until now, by the kernel's account."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    ticks = 0
    for process in (str(server.pid), *children):
        user_and_system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, user_and_system[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _quantile(found: Mapping[str, Any], share: float) -> float:
    return float(np.quantile(found["answer_ms"], share))


def _quantiles(found: Mapping[str, Any]) -> str:
    median, high, most = (_quantile(found, share) for share in (0.5, 0.95, 1.0))
    return f"median {median:.0f} ms, p95 {high:.0f} ms, longest {most:.0f} ms"


def _summary(found: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: round(found[key], 2) for key in ("seconds", "processor_ms") if key in found}
    counts = {"acknowledged": len(found["acknowledged"]), "sent_again": found["sent_again"]}
    return own | counts | {"answers": _quantiles(found), "refused": found["refused"][:3]}
