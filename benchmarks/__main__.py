"""python -m benchmarks [--quick] [--json]: every benchmark, one claim for each promised number."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from auralign.files import to_json, write_text
from benchmarks import (
    align_vs_trl,
    claims,
    listen_load,
    objectives,
    quickstart,
    rollout_speed,
    signals,
    stats_coverage,
    stats_vs_peers,
)
from benchmarks.online import exactness, iterations, staged

BENCHMARKS = {
    "quickstart": quickstart.measure,
    "stats_vs_peers": stats_vs_peers.measure,
    "stats_coverage": stats_coverage.measure,
    "signals": signals.measure,
    "objectives": objectives.measure,
    "align_vs_trl": align_vs_trl.measure,
    "rollout_speed": rollout_speed.measure,
    "online_exactness": exactness.measure,
    "online_stages": staged.measure,
    "online_iterations": iterations.measure,
    "listen_load": listen_load.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="the same claims at smaller size")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="keep, and reuse, run folders")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    reports = {
        name: BENCHMARKS[name](quick=arguments.quick, runs_dir=arguments.runs)
        for name in arguments.names or BENCHMARKS
    }
    text = claims.to_markdown(reports)
    print(to_json(reports, indent=2) if arguments.json else text)
    if arguments.write:
        write_text(Path(__file__).parent / "RESULTS.md", text)
    return 0 if all(claim.ok for report in reports.values() for claim in report.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
