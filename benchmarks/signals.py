"""The runner of signals: clips per second, memory, and a worker that is killed.

Clips are spoken digits (Free Spoken Digit Dataset below AURALIGN_DATA; without it, harmonic tones
that come and go) joined to 1-10 s at 24 kHz, with noise added at 20 dB; the joined digits are their
references, the digits their texts, and a transcript with errors comes along, so that every signal
of the offline set has something to say.

Our time is that of the command `auralign score` with all that it does, start and import included.
The other time is that of a plain script: for each signal, for each clip, load it (soundfile),
resample it (soxr), call the public library that measures it (pyloudnorm, pystoi, jiwer), or our own
function where there is none, in one process that has imported everything. Both are run by turns.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import jiwer
import numpy as np
import pyloudnorm
import pystoi
import scipy.signal
import soundfile
import soxr

from auralign.audio import as_audio, clip_id, quantise, read_audio, write_wav
from auralign.signals.ask import Loaded, Request
from auralign.signals.measures.english import normalise_english
from auralign.signals.registry import sets
from auralign.signals.running.results import read_results
from auralign.signals.signal import Item
from auralign.types import Audio
from benchmarks.claims import Claim, Report

SEED = 0
RATE = 24_000
SNR_DB = 20.0
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
OFFLINE = sets()["offline"]
SIZES = {"clips": 500, "fewer": 50, "turns": 3}
QUICK = {"clips": 80, "fewer": 8, "turns": 1}


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    sizes = QUICK if quick else SIZES
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_clips(base / "clips", sizes["clips"])
        claims = [
            _speed_claim(base / "clips", sizes["turns"], details),
            _memory_claim(base, sizes["fewer"], details),
            *_kill_claims(base / "clips", details),
        ]
    return Report(
        claims=claims,
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes={**sizes, "recordings": "FSDD" if _takes()["zero"][0] else "tones"},
        details=details,
    )


def _speed_claim(folder: Path, turns: int, details: dict[str, Any]) -> Claim:
    """The middle of the ratios, each of two runs that follow each other."""
    out = folder / "s.jsonl"
    one_after_the_other(folder, first=2)
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(_seconds(lambda: _run(folder, out).wait()))
        theirs.append(_seconds(lambda: one_after_the_other(folder)))
    _check_same(folder, out)
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    n_clips = len(list((folder / "clips").iterdir()))
    details["seconds"] = {"auralign": ours, "one after the other": theirs}
    details["seconds by signal, one after the other"] = one_after_the_other(folder, first=20)
    how = (
        f"median of {turns}; {n_clips / median(ours):.3g} against {n_clips / median(theirs):.3g} "
        "clips/s; two processes, start included, against one process without it"
    )
    return Claim("clips/s of the offline set / one after the other", ">=", 2.0, median(ratios), how)


def _memory_claim(base: Path, n_fewer: int, details: dict[str, Any]) -> Claim:
    write_clips(base / "fewer", n_fewer)
    _multiply(base / "fewer", base / "more", 10)
    peaks = {name: _peak_megabytes(base / name) for name in ("fewer", "more")}
    details["peak memory of all processes [MB]"] = peaks
    how = f"{n_fewer} and {10 * n_fewer} clips: {peaks['fewer']:.0f} and {peaks['more']:.0f} MB"
    return Claim(
        "peak memory of 10x the clips / 1x", "<=", 1.2, peaks["more"] / peaks["fewer"], how
    )


def _multiply(folder: Path, out: Path, times: int) -> None:
    """The same clips under several names each."""
    for part in ("clips", "references"):
        (out / part).mkdir(parents=True)
        for file in (folder / part).iterdir():
            for k in range(times):
                os.link(file, out / part / f"{file.stem}-{k}.wav")
    head, *lines = (folder / "texts.csv").read_text().splitlines()
    renamed = [line.replace(",", f"-{k},", 1) for line in lines for k in range(times)]
    (out / "texts.csv").write_text("\n".join([head, *renamed]) + "\n")
    os.link(folder / "transcripts.jsonl", out / "transcripts.jsonl")


def _kill_claims(folder: Path, details: dict[str, Any]) -> list[Claim]:
    """One of two workers is killed (SIGKILL) when a fifth of the answers is written."""
    out = folder / "killed.jsonl"
    n_clips = len(list((folder / "clips").iterdir()))
    expected = n_clips * len(OFFLINE)
    process = _run(folder, out)
    while not out.exists() or out.read_bytes().count(b"\n") < expected / 5:
        time.sleep(0.05)
    victim = _workers(process.pid)[0]
    before = out.read_bytes()
    os.kill(victim, signal.SIGKILL)
    code = process.wait()
    rows = list(read_results(out))
    finished = before[: before.rfind(b"\n") + 1]
    n_before = finished.count(b"\n") - 1
    lost = 0 if out.read_bytes().startswith(finished) else n_before
    answered = {(row.clip, row.signal) for row in rows}
    died = [r for r in rows if any("worker process died" in s.reason for s in r.scores)]
    details["killed worker"] = {"exit code": code, "rows": len(rows), "failed by it": len(died)}
    how = f"SIGKILL to one of two workers after {n_before} of {expected} answers"
    return [
        Claim("finished rows lost when a worker is killed", "<=", 0, lost, how),
        Claim(
            "answers missing or doubled after it, exit code added",
            "<=",
            0,
            abs(expected - len(answered)) + len(rows) - len(answered) + len(died) + code,
            how,
        ),
    ]


def _run(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "auralign", "score", str(folder / "clips")),
        *("--reference", str(folder / "references"), "--text", str(folder / "texts.csv")),
        *("--option", f"transcript.transcripts={folder / 'transcripts.jsonl'}"),
        *("--workers", "2", "--out", str(out), "--force", "--quiet"),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def one_after_the_other(folder: Path, first: int | None = None) -> dict[str, float]:
    """Seconds of each signal over the clips (the first few of them): load, resample, call."""
    texts = dict(line.split(",") for line in (folder / "texts.csv").read_text().splitlines()[1:])
    files = sorted((folder / "clips").iterdir())[:first]
    seconds = {}
    for name in OFFLINE:
        call = _PUBLIC[name](folder) if name in _PUBLIC else _own(name)
        before = time.perf_counter()
        for file in files:
            call(file, folder / "references" / file.name, texts[file.stem])
        seconds[name] = time.perf_counter() - before
    return seconds


def write_clips(folder: Path, n_clips: int) -> None:
    """`clips/`, `references/`, `texts.csv` and `transcripts.jsonl`."""
    rng = np.random.default_rng(SEED)
    takes = _takes()
    texts, heard = ["clip,text"], []
    for k in range(n_clips):
        reference, words = _joined(takes, rng.uniform(1, 10), rng)
        clip = _noisy(reference, rng)
        name = f"{k:04d}"
        write_wav(clip, folder / "clips" / f"{name}.wav")
        write_wav(reference, folder / "references" / f"{name}.wav")
        texts.append(f"{name},{' '.join(words)}")
        said = [w for w in words if rng.random() > 0.1]
        line = {"clip_id": clip_id(quantise(clip)), "text": " ".join(said), "recogniser": "made up"}
        heard.append(json.dumps(line))
    (folder / "texts.csv").write_text("\n".join(texts) + "\n")
    (folder / "transcripts.jsonl").write_text("\n".join(heard) + "\n")


def _takes() -> dict[str, list[Path | None]]:
    """Digit -> recordings of it."""
    shared = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("AURALIGN_DATA", shared)) / "fsdd" / "recordings"
    return {
        word: sorted(folder.glob(f"{digit}_*.wav")) or [None] for digit, word in enumerate(DIGITS)
    }


def _joined(
    takes: dict[str, list[Path | None]], seconds: float, rng: np.random.Generator
) -> tuple[Audio, list[str]]:
    """Digits one after the other until `seconds` are full, and cut there."""
    words: list[str] = []
    parts: list[np.ndarray] = []
    while sum(part.size for part in parts) < seconds * RATE:
        words.append(str(rng.choice(DIGITS)))
        take = takes[words[-1]][rng.integers(len(takes[words[-1]]))]
        parts += [_spoken(take) if take else _tone(rng), np.zeros(RATE // 10)]
    samples = np.concatenate(parts)[: round(seconds * RATE)]
    return as_audio((0.5 * samples / np.abs(samples).max()).astype(np.float32), RATE), words


def _spoken(take: Path) -> np.ndarray:
    audio = read_audio(take)
    return np.asarray(soxr.resample(audio.mono(), audio.sample_rate, RATE))


def _tone(rng: np.random.Generator) -> np.ndarray:
    time_s = np.arange(RATE // 2) / RATE
    f0 = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * 3 * time_s))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, 20)) * np.hanning(time_s.size))


def _noisy(reference: Audio, rng: np.random.Generator) -> Audio:
    noise = rng.standard_normal(reference.samples.shape)
    level = np.sqrt(np.square(reference.samples).mean()) * 10 ** (-SNR_DB / 20)
    return as_audio((reference.samples + level * noise).astype(np.float32), RATE)


Call = Callable[[Path, Path, str], Any]


def _read(file: Path, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples `[time]` of a mono file at `rate` Hz, and that rate."""
    samples, own = soundfile.read(file, dtype="float32")
    return (samples, own) if rate in (None, own) else (soxr.resample(samples, own, rate), rate)


def _loudness(folder: Path) -> Call:
    def call(file: Path, reference: Path, text: str) -> Any:
        samples, rate = _read(file)
        meter = pyloudnorm.Meter(rate)
        peak = np.abs(scipy.signal.resample_poly(samples, 4, 1)).max()
        lufs = meter.integrated_loudness(samples)
        return lufs, samples.size < 3 * rate or meter.loudness_range(samples), peak

    return call


def _stoi(folder: Path) -> Call:
    def call(file: Path, reference: Path, text: str) -> Any:
        (y, rate), (x, _) = _read(file, 10_000), _read(reference, 10_000)
        return pystoi.stoi(x, y, rate), pystoi.stoi(x, y, rate, extended=True)

    return call


def _transcript(folder: Path) -> Call:
    lines = map(json.loads, (folder / "transcripts.jsonl").read_text().splitlines())
    files = sorted((folder / "clips").iterdir())
    heard = {file.stem: line["text"] for file, line in zip(files, lines, strict=True)}

    def call(file: Path, reference: Path, text: str) -> Any:
        asked, said = normalise_english(text), normalise_english(heard[file.stem])
        return jiwer.process_words(asked, said), jiwer.process_characters(asked, said)

    return call


_PUBLIC: dict[str, Callable[[Path], Call]] = {
    "loudness": _loudness,
    "stoi": _stoi,
    "transcript": _transcript,
}


def _own(name: str) -> Call:
    loaded = Loaded.of(Request(name, {}))
    rate = loaded.signal.sample_rate
    compares = any("reference" in str(requirement) for requirement in loaded.signal.requires)

    def call(file: Path, reference: Path, text: str) -> Any:
        audio = as_audio(*_read(file, rate))
        known = as_audio(*_read(reference, rate)) if compares else None
        return loaded.measurer([Item(file.stem, audio, known, text)])

    return call


def _check_same(folder: Path, out: Path) -> None:
    """Both have measured the same, or the comparison means nothing."""
    rows = {(Path(r.clip).stem, r.signal): r for r in read_results(out)}
    file = sorted((folder / "clips").iterdir())[0]
    reference = folder / "references" / file.name
    ours = [score.value for score in rows[file.stem, "stoi"].scores]
    assert np.allclose(ours, _stoi(folder)(file, reference, ""), atol=1e-3)
    lufs = rows[file.stem, "loudness"].scores[0].value
    assert np.isclose(lufs, _loudness(folder)(file, reference, "")[0], atol=1e-2)


def _seconds(call: Callable[[], Any]) -> float:
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def _peak_megabytes(folder: Path) -> float:
    """Most memory that the command and its processes held at once, looked at every 50 ms.

    Pages that processes share count in proportion (PSS).
    """
    process = _run(folder, folder / "s.jsonl")
    peak = 0.0
    while process.poll() is None:
        family = [process.pid, *_descendants(process.pid)]
        peak = max(peak, sum(map(_pss_megabytes, family)))
        time.sleep(0.05)
    assert process.returncode == 0
    return peak


def _pss_megabytes(pid: int) -> float:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    except OSError:
        return 0.0
    return int(found.group(1)) / 1000 if found else 0.0


def _workers(pid: int) -> list[int]:
    """The processes that the fork server of a process has started."""
    return [grandchild for child in _children(pid) for grandchild in _children(child)]


def _descendants(pid: int) -> list[int]:
    return [each for child in _children(pid) for each in (child, *_descendants(child))]


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(c) for task in tasks for c in (task / "children").read_text().split()]
    except OSError:
        return []
