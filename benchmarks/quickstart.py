"""The quickstart's promises: listeners prefer the aligned generator, and it says fewer wrong words.

Runs `auralign quickstart --size small` on seeds 0, 1 and 2 (with `--quick`: `--size tiny` on seed
0, whose numbers mean nothing), each in a process of its own so that memory is that of one run, and
the full size once for its time and memory. With `--runs DIR` the run folders stay there, and runs
that are there already are not made again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.claims import Claim, Report

SEEDS = [0, 1, 2]


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    size, full, seeds = ("tiny", "tiny", [0]) if quick else ("small", "full", SEEDS)
    with tempfile.TemporaryDirectory() as folder:
        base = runs_dir or Path(folder)
        runs = [_run(size, seed, base / f"{size}-{seed}") for seed in seeds]
        whole = _run(full, 0, base / f"{full}-0")
    return Report(
        claims=_claims(size, full, runs, whole),
        seeds=seeds,
        seconds=sum(run["seconds"]["total"] for run in (*runs, whole)),
        sizes={"size": size, "timed": full},
        details={"runs": runs, "full": whole},
    )


def _claims(size: str, full: str, runs: list[dict[str, Any]], whole: dict[str, Any]) -> list[Claim]:
    how = f"`auralign quickstart --size {size} --json`"
    before, after = (mean(r[key] for r in runs) for key in ("wer_before", "wer_after"))
    return [
        Claim(
            "lower 95 % bound of the win rate, worst seed",
            ">",
            0.5,
            min(r["win_rate_ci"][0] for r in runs),
            how,
        ),
        Claim("win rate, mean of the seeds", ">=", 0.62, mean(r["win_rate"] for r in runs), how),
        Claim("word error after / before, of the seeds' means", "<=", 0.80, after / before, how),
        Claim(
            "reward accuracy / ceiling, worst seed",
            ">=",
            0.9,
            min(r["reward_accuracy"] / r["reward_ceiling"] for r in runs),
            how,
        ),
        Claim(
            "wall time of the full size [s]",
            "<=",
            360,
            whole["seconds"]["total"],
            f"`auralign quickstart --size {full} --json`, stages added up",
        ),
        Claim(
            "peak memory of the full size [GB]",
            "<=",
            3.0,
            whole["peak_memory_mb"] / 1000,
            "largest resident set in manifest.json",
        ),
    ]


def _run(size: str, seed: int, out: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "auralign", "quickstart", "--size", size]
    command += ["--seed", str(seed), "--out", str(out), "--resume", "--json"]
    print(" ".join(command[1:]), file=sys.stderr)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    peak = max(stage["peak_memory_mb"] for stage in manifest["stages"].values())
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, "peak_memory_mb": peak}
