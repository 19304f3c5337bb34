"""Does every online objective come to rest where it has to? On two and three codes that is known.

Each method is trained with `train_online` on a policy of one code (`table`), and its probabilities
are compared with those of `fixed_points`: the optimum of reward less KL in closed form, the resting
point of a method whose advantages are no rewards (z-scores, whitened ones) by summing over all
groups, that of objectives over pairs for a judge who is sometimes wrong, and the Nash policy of a
game that runs in circles. On clips that were just sampled, every ratio has to be 1.

    python -m benchmarks.online.exactness [--quick] [--json]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auralign.files import to_json
from auralign.training.online import OnlineSettings, by_win_rate_against, train_online
from auralign.types import Prompt
from benchmarks import claims
from benchmarks.claims import Claim, Report
from benchmarks.online.answers import judge, mixture
from benchmarks.online.exact_cases import GAME, MIXED, SIZE, Case, all_cases
from benchmarks.online.table import TablePolicy

SEED = 0
TOLERANCE = 0.01
"""How far a probability may be from where it has to be."""
STARTS = {2: [0.4, 0.6], 3: [0.2, 0.2, 0.6]}
"""By the number of codes: neither the reference nor near where a method rests."""

SHARED: dict[str, Any] = {
    "n_rounds": 150,
    "prompts_per_round": 128,
    "clips_per_prompt": SIZE,
    "learning_rate": 0.1,
    "schedule": "linear",
    "warmup_steps": 0,
    "max_grad_norm": 1e9,
    "frames_per_pass": 1_000_000,
    "kl": None,
}


@dataclass(frozen=True)
class Reached:
    """Where training came to rest, and how far the largest ratio of fresh clips was from 1."""

    probabilities: NDArray[np.float64]
    ratio_error: float


def reached(case: Case) -> Reached:
    """Trains, and looks."""
    reference = TablePolicy.of(case.reference.tolist()).frozen_copy()
    policy = TablePolicy.of(STARTS[len(case.reference)])
    settings = OnlineSettings(**{**SHARED, **case.settings})
    prompts = [Prompt(f"p{i}", "any") for i in range(settings.prompts_per_round)]
    against_mixture = by_win_rate_against(judge(GAME), mixture(policy, reference, MIXED))
    ratios = [0.0]

    def log(step: int, values: Mapping[str, float]) -> None:
        ratios.append(abs(values.get("largest_ratio", 1.0) - 1))

    train_online(
        policy,
        reference,
        prompts,
        case.assess or against_mixture,
        settings,
        seed=SEED,
        keep="last",
        log=log,
    )
    return Reached(policy.probabilities, max(ratios))


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    began = time.perf_counter()
    cases = all_cases()
    if quick:  # one of each objective
        cases = list({case.settings["objective"]: case for case in cases}.values())
    found = []
    for case in cases:
        found.append(reached(case))
        print(f"{case.name}: {found[-1].probabilities} for {case.point}", file=sys.stderr)
    return Report(
        claims=[*map(_rests, cases, found), _fresh(found)],
        seeds=[SEED],
        seconds=time.perf_counter() - began,
        sizes={k: v for k, v in SHARED.items() if isinstance(v, int | float)},
        details={
            case.name: {"reached": f.probabilities.tolist(), "exact": case.point.tolist()}
            for case, f in zip(cases, found, strict=True)
        },
    )


def _rests(case: Case, found: Reached) -> Claim:
    error = float(np.abs(found.probabilities - case.point).max())
    where = ", ".join(f"{p:.3f}" for p in case.point)
    return Claim(case.name, "<=", TOLERANCE, error, f"furthest probability from ({where})")


def _fresh(found: list[Reached]) -> Claim:
    furthest = max(f.ratio_error for f in found)
    return Claim(
        "ratio of fresh clips", "<=", 1e-6, furthest, "largest distance from 1, all rounds"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = measure(quick=arguments.quick, runs_dir=None)
    shown = {"online exactness": report}
    print(to_json(shown, indent=2) if arguments.json else claims.to_markdown(shown))
    return 0 if all(claim.ok for claim in report.claims) else 1


if __name__ == "__main__":
    sys.exit(main())
