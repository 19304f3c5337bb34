"""Preference statistics against public libraries: the same data, the same machine, by turns.

Random pairs of items with worths from N(0, 0.7). Each solver starts from integer arrays (those
that only take labels, from lists of labels); ours contains the checks of the input and of the
graph of wins. Each solver runs once before it is timed, and solvers take turns, so that a busy
machine slows all alike. A peer counts as one that reaches the maximum when no part of the gradient
exceeds `REACHED` per comparison of the most compared item; `details` has all times and gradients.
A library that cannot be imported makes its claims absent.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit

from auralign.stats.agreement import krippendorff_alpha
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import bootstrap_worths, fit_bradley_terry
from auralign.types import Comparisons
from benchmarks.claims import Claim, Report

SEED = 0
REACHED = 1e-5
SIZES = {(100, 10_000): 2.0, (1_000, 100_000): 4.0, (10_000, 1_000_000): 4.0}
LARGEST = {(10_000, 10_000_000): 4.0}
QUICK = {(100, 10_000): 2.0, (1_000, 100_000): 4.0}
SLOW_ITEMS = 1_000  # beyond, dense peers take minutes and gigabytes
PACKAGES = {
    "choix": "choix",
    "evalica": "evalica",
    "krippendorff": "krippendorff",
    "sklearn": "scikit-learn",
    "crowdkit.aggregation": "crowd-kit",
}

Solver = Callable[[], Any]


def measure(*, quick: bool, runs_dir: Path | None) -> Report:
    started = time.perf_counter()
    details: dict[str, Any] = {}
    claims = []
    for (n_items, n_rows), target in (QUICK if quick else SIZES | LARGEST).items():
        claims += _fit_claims(n_items, n_rows, target, details)
    ties = (1_000, 100_000, 5.0) if quick else (10_000, 1_000_000, 100.0)
    claims += _tie_claims(*ties, details)
    claims += _bootstrap_claims(200 if quick else 1000, details)
    claims += _alpha_claims(2_000 if quick else 10_000, details)
    claims += _chain_claim(1_000 if quick else 10_000, details)
    claims.append(_import_claim(details))
    missing = [name for module, name in PACKAGES.items() if not _found(module)]
    if missing:
        details["absent"] = (
            f"claims against {', '.join(missing)} are absent: they cannot be imported"
        )
    details["peak memory of this process [GB]"] = _peak_gigabytes()
    return Report(
        claims=claims,
        seeds=[SEED],
        seconds=time.perf_counter() - started,
        sizes={"quick": quick},
        details=details,
    )


def random_study(n_items: int, n_rows: int, p_tie: float = 0.0) -> Comparisons:
    rng = np.random.default_rng(SEED)
    log_worth = rng.normal(0, 0.7, n_items)
    first = rng.integers(n_items, size=n_rows)
    second = (first + rng.integers(1, n_items, size=n_rows)) % n_items
    outcome = (rng.random(n_rows) < expit(log_worth[first] - log_worth[second])).astype(np.float64)
    if p_tie:
        outcome[rng.random(n_rows) < p_tie] = 0.5
    return comparisons_of(first, second, outcome, items=[str(k) for k in range(n_items)])


def _fit_claims(n_items: int, n_rows: int, target: float, details: dict[str, Any]) -> list[Claim]:
    c = random_study(n_items, n_rows)
    peers = {"auralign": lambda: fit_bradley_terry(c).log_worth, **_peers(c)}
    runs = 15 if n_rows <= 10_000 else 7 if n_rows <= 100_000 else 3
    seconds, found = _by_turns(peers, runs)
    gradients = {name: _gradient(c, log_worth) for name, log_worth in found.items()}
    size = f"({n_items}, {n_rows})"
    details[f"Bradley-Terry {size}"] = {"seconds": seconds, "gradient": gradients}
    most = np.bincount(np.append(c.first, c.second)).max()
    reached = {k: v for k, v in seconds.items() if gradients[k] <= REACHED * most}
    ours = reached.pop("auralign")
    claims = [
        Claim(
            f"Bradley-Terry {size}: largest part of the gradient",
            "<=",
            1e-6,
            gradients["auralign"],
            "points observed minus expected, summed anew",
        )
    ]
    if reached:
        fastest = min(reached, key=lambda name: reached[name])
        how = f"median of {runs}; {fastest} {reached[fastest]:.4g} s, auralign {ours:.4g} s"
        name = f"Bradley-Terry {size}: fastest peer at the maximum / auralign"
        claims.append(Claim(name, ">=", target, reached[fastest] / ours, how))
    return claims


def _tie_claims(n_items: int, n_rows: int, target: float, details: dict[str, Any]) -> list[Claim]:
    """Newman's iteration takes minutes at the full size, so it runs once."""
    if not _found("evalica"):
        return []
    c = random_study(n_items, n_rows, p_tie=0.15)
    ours, _ = _by_turns({"auralign": lambda: fit_bradley_terry(c, ties="davidson")}, 3)
    theirs = _newman_seconds(c)
    name = f"ties ({n_items}, {n_rows}): evalica newman / auralign davidson"
    details[name] = {"auralign": ours["auralign"], "evalica": theirs}
    how = f"evalica once {theirs:.3g} s; auralign median of 3 {ours['auralign']:.3g} s"
    return [Claim(name, ">=", target, theirs / ours["auralign"], how)]


def _newman_seconds(c: Comparisons) -> float:
    """With its own limit of 100 iterations, converged or not."""
    import evalica

    rows = _evalica_input(c)
    before = time.perf_counter()
    evalica.newman(*rows)
    return time.perf_counter() - before


def _bootstrap_claims(n_resamples: int, details: dict[str, Any]) -> list[Claim]:
    c = random_study(100, 10_000)
    fit = fit_bradley_terry(c)
    solvers: dict[str, Solver] = {
        "auralign": lambda: bootstrap_worths(
            fit,
            rng=np.random.default_rng(SEED),
            units="comparisons",
            n_resamples=n_resamples,
        )
    }
    if _found("choix"):
        solvers["choix, dense, in a loop"] = lambda: _choix_bootstrap(c, n_resamples)
    if _found("evalica"):
        rows = _evalica_input(c)
        solvers["evalica"] = lambda: _evalica_bootstrap(rows, n_resamples)
    seconds, _ = _by_turns(solvers, 3)
    details[f"bootstrap, {n_resamples} resamples of (100, 10000)"] = seconds
    ours = seconds.pop("auralign")
    claims = [
        Claim(
            "1,000 resamples of (100, 10000) [s]",
            "<=",
            0.5,
            ours * 1000 / n_resamples,
            f"median of 3 runs of {n_resamples}",
        )
    ]
    if seconds:
        fastest = min(seconds, key=lambda name: seconds[name])
        name = "bootstrap: fastest peer / auralign"
        how = f"{fastest} {seconds[fastest]:.3g} s, auralign {ours:.3g} s, same resamples"
        claims.append(Claim(name, ">=", 4, seconds[fastest] / ours, how))
    return claims


def _alpha_claims(n_units: int, details: dict[str, Any]) -> list[Claim]:
    """20 raters with sliders from 0 to 100; the level of measurement on which we gain least."""
    if not _found("krippendorff"):
        return []
    import krippendorff

    ratings = np.random.default_rng(SEED).integers(0, 101, (20, n_units)).astype(np.float64)
    ratios: dict[str, float] = {}
    for level in ("nominal", "ordinal", "interval", "ratio"):
        solvers = {
            "auralign": partial(krippendorff_alpha, ratings, level_of_measurement=level),
            "krippendorff": partial(krippendorff.alpha, ratings, level_of_measurement=level),
        }
        seconds, found = _by_turns(solvers, 3)
        assert abs(found["auralign"] - found["krippendorff"]) < 1e-9, "both give the same alpha"
        ratios[level] = seconds["krippendorff"] / seconds["auralign"]
        details[f"alpha, {level}, {n_units} x 20 sliders"] = seconds
    worst = min(ratios, key=lambda level: ratios[level])
    how = f"median of 3; {worst}, the level with the least gain of {', '.join(ratios)}"
    name = f"alpha of {n_units} x 20 sliders: krippendorff / auralign"
    return [Claim(name, ">=", 50, ratios[worst], how)]


def _chain_claim(n_items: int, details: dict[str, Any]) -> list[Claim]:
    """Neighbours only, 40 comparisons each: where iterative solvers stall."""
    link = np.repeat(np.arange(n_items - 1), 40)
    wins = np.random.default_rng(SEED).integers(10, 31, size=n_items - 1)
    outcome = (np.tile(np.arange(40), n_items - 1) < np.repeat(wins, 40)).astype(np.float64)
    c = comparisons_of(link, link + 1, outcome)
    seconds, found = _by_turns({"auralign": lambda: fit_bradley_terry(c).log_worth}, 3)
    exact = -np.log(wins / (40 - wins))
    error = float(np.abs(np.diff(found["auralign"]) - exact).max())
    details[f"chain of {n_items} items"] = {**seconds, "largest error": error}
    name = f"chain of {n_items} items [s]"
    how = f"differences within {error:.1g} logits of the closed form"
    return [
        Claim(name, "<=", 1.0, seconds["auralign"], how),
        Claim(f"chain of {n_items} items: largest error [logits]", "<=", 1e-6, error, "as above"),
    ]


def _import_claim(details: dict[str, Any]) -> Claim:
    """The room imports nothing until a family is named; what a family costs is said beside it."""
    room, torch = _import_seconds("auralign.stats")
    family, with_torch = _import_seconds("auralign.stats.pairs")
    arrays, _ = _import_seconds("numpy, scipy.special, scipy.sparse.csgraph")
    details["import"] = {"auralign.stats": room, "auralign.stats.pairs": family, "arrays": arrays}
    how = f"auralign.stats.pairs takes {family:.2f} s, of which NumPy and SciPy {arrays:.2f} s; "
    how += f"torch loaded: {torch or with_torch}; medians of 5 processes"
    return Claim("import auralign.stats [s]", "<=", 0.3, room, how)


def _import_seconds(modules: str) -> tuple[float, bool]:
    code = f"import time; t = time.perf_counter(); import {modules}, sys; "
    code += "print(time.perf_counter() - t, 'torch' in sys.modules)"
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        for _ in range(5)
    ]
    printed = [run.stdout.split() for run in runs]
    return median(float(line[0]) for line in printed), any(line[1] == "True" for line in printed)


def _peers(c: Comparisons) -> dict[str, Solver]:
    n = len(c.items)
    peers: dict[str, Solver] = {}
    if _found("sklearn"):
        peers["sklearn newton-cg"] = lambda: _sklearn(c, "newton-cg")
        peers["sklearn lbfgs"] = lambda: _sklearn(c, "lbfgs")
    if _found("choix") and n <= SLOW_ITEMS:
        peers["choix ilsr, dense"] = lambda: _choix(_wins(c.first, c.second, c.outcome, n))
    if _found("evalica") and n <= SLOW_ITEMS:
        rows = _evalica_input(c)
        peers["evalica"] = lambda: _evalica(rows, c.items)
    if _found("crowdkit.aggregation") and n <= SLOW_ITEMS:
        peers["crowd-kit"] = lambda: _crowdkit(c)
    return peers


def _sklearn(c: Comparisons, solver: str) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    n, m = len(c.items), len(c.first)
    columns = np.column_stack([c.first, c.second]).ravel()
    design = sparse.csr_matrix(
        (np.tile([1.0, -1.0], m), columns, np.arange(0, 2 * m + 1, 2)), (m, n)
    )
    model = LogisticRegression(
        C=np.inf, fit_intercept=False, solver=solver, tol=1e-9, max_iter=10_000
    )
    return np.asarray(model.fit(design, c.outcome).coef_[0])


def _wins(first: np.ndarray, second: np.ndarray, outcome: np.ndarray, n_items: int) -> np.ndarray:
    won = outcome == 1
    cell = np.where(won, first, second) * n_items + np.where(won, second, first)
    return np.bincount(cell, minlength=n_items**2).reshape(n_items, n_items).astype(np.float64)


def _choix(wins: np.ndarray) -> np.ndarray:
    import choix

    return np.asarray(choix.ilsr_pairwise_dense(wins))


def _choix_bootstrap(c: Comparisons, n_resamples: int) -> None:
    rng, n = np.random.default_rng(SEED), len(c.first)
    for _ in range(n_resamples):
        rows = rng.integers(n, size=n)
        _choix(_wins(c.first[rows], c.second[rows], c.outcome[rows], len(c.items)))


def _evalica_input(c: Comparisons) -> tuple[list[str], list[str], list[Any]]:
    import evalica

    named = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    winners = [named[outcome] for outcome in c.outcome.tolist()]
    return [c.items[k] for k in c.first], [c.items[k] for k in c.second], winners


def _evalica(rows: Any, items: tuple[str, ...]) -> np.ndarray:
    import evalica

    scores = evalica.bradley_terry(*rows, limit=1000, tolerance=1e-8).scores
    return np.log(np.array([scores[item] for item in items]))


def _crowdkit(c: Comparisons) -> np.ndarray:
    """It stops after two steps, whatever it is told, so it is not at the maximum."""
    import pandas as pd
    from crowdkit.aggregation import BradleyTerry

    names = np.array(c.items)
    left, right = names[c.first], names[c.second]
    table = pd.DataFrame(
        {"left": left, "right": right, "label": np.where(c.outcome == 1, left, right)}
    )
    scores = BradleyTerry(n_iter=1000, tol=1e-9).fit_predict(table)
    return np.log(np.array([scores[item] for item in c.items]))


def _evalica_bootstrap(rows: Any, n_resamples: int) -> Any:
    import evalica

    return evalica.bootstrap(
        evalica.bradley_terry,
        *rows,
        n_resamples=n_resamples,
        bootstrap_method="percentile",
    )


def _gradient(c: Comparisons, log_worth: np.ndarray) -> float:
    missing = c.outcome - expit(log_worth[c.first] - log_worth[c.second])
    n = len(log_worth)
    summed = np.bincount(c.first, missing, n) - np.bincount(c.second, missing, n)
    return float(np.abs(summed).max())


def _by_turns(solvers: dict[str, Solver], runs: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds and last results of solvers that take turns, after one run each."""
    found = {name: solve() for name, solve in solvers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(runs):
        for name, solve in solvers.items():
            before = time.perf_counter()
            found[name] = solve()
            seconds[name].append(time.perf_counter() - before)
    return {name: median(times) for name, times in seconds.items()}, found


def _found(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def _peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
