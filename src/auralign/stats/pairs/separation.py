"""Do finite coefficients exist? A linear programme, asked before a model with covariates is fitted.

A connected graph of wins is not enough once covariates share the work: a combination of them may
point towards the winner in every comparison, and its coefficient then grows without end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auralign.errors import DataError, NotConvergedError
from auralign.stats.arrays import FloatArray

ROWS_PER_COLUMN = 50
VIOLATED = 1e-6
STRICTLY_POSITIVE = 1e-4
COLLINEAR = 1e-9


def require_finite_coefficients(
    design: FloatArray, outcome: FloatArray, names: Sequence[str]
) -> None:
    """Check `design` `[n, k]` against the outcomes `[n]` (1, 0, or 0.5 for a tie).

    Raises `DataError` when columns are collinear, `NotConvergedError` when some combination of
    them never points away from the winner and sometimes towards it (Albert & Anderson 1984,
    Biometrika 71:1).
    """
    scale = np.abs(design).max(axis=0)
    if (scale == 0).any():
        idle = names[int(np.argmin(scale))]
        raise DataError(f"the covariate '{idle}' is the same on both sides of all comparisons")
    scaled = design / scale
    _require_full_rank(scaled, names)
    direction = separating_direction(np.vstack([scaled[outcome > 0], -scaled[outcome < 1]]))
    if direction is not None:
        raise NotConvergedError(
            "no finite coefficients exist: the combination "
            f"{_combination(direction / scale, names)} never points away from the winner; leave a "
            "covariate out, collect more comparisons, or pass ridge_sd"
        )


def separating_direction(rows: FloatArray) -> FloatArray | None:
    """A direction `[k]` with `rows` `[n, k]` @ direction >= 0 everywhere and > 0 somewhere.

    None when there is none, which is when maximum likelihood exists. The linear programme of Konis
    (2007, PhD thesis, Oxford), on a growing part of the rows.
    """
    from scipy.optimize import linprog  # slow to import

    size = np.abs(rows).max(axis=1)
    rows = rows[size > 0] / size[size > 0, None]  # a row's size says nothing about its sign
    n, k = rows.shape
    towards = rows.sum(axis=0)
    kept = np.unique(np.linspace(0, n - 1, min(n, ROWS_PER_COLUMN * k), dtype=np.int64))
    while True:
        found = linprog(-towards, A_ub=-rows[kept], b_ub=np.zeros(len(kept)), bounds=(-1, 1))
        margin = rows @ found.x
        if margin.max() <= STRICTLY_POSITIVE:
            return None
        violated = np.setdiff1d(np.flatnonzero(margin < -VIOLATED), kept)
        if not len(violated):
            return np.asarray(found.x, dtype=np.float64)
        worst = violated[np.argsort(margin[violated])[: ROWS_PER_COLUMN * k]]
        kept = np.concatenate([kept, worst])


def _require_full_rank(scaled: FloatArray, names: Sequence[str]) -> None:
    triangle = np.linalg.qr(scaled, mode="r")
    # Fewer rows than columns leave a wide triangle, whose missing singular values are zero.
    square = np.zeros((len(names), len(names)))
    square[: len(triangle)] = triangle
    _, singular, directions = np.linalg.svd(square)
    if singular[-1] <= COLLINEAR * singular[0]:
        involved = np.flatnonzero(np.abs(directions[-1]) > 1e-6)
        listed = ", ".join(f"'{names[j]}'" for j in involved.tolist())
        raise DataError(
            f"the covariates {listed} are collinear in these comparisons, so their coefficients "
            "cannot be told apart; leave one out (of dummies: the reference) or pass ridge_sd"
        )


def _combination(direction: FloatArray, names: Sequence[str]) -> str:
    share = direction / np.abs(direction).max()
    parts = [f"{share[j]:+.3g} {names[j]}" for j in np.flatnonzero(np.abs(share) > 1e-6).tolist()]
    return " ".join(parts)
