"""Which items differ: all pairwise tests with Holm's correction, shown as letters."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
from scipy import special

from auralign.errors import ConfigError, NotConvergedError
from auralign.stats.arrays import BoolArray, FloatArray
from auralign.stats.pairs.bradley_terry_fit import BradleyTerryFit
from auralign.stats.pairs.standard_errors import Errors, degrees_of_freedom


@dataclass(frozen=True, eq=False)
class SignificanceGroups:
    """Items that share a letter do not differ at `alpha`, over all pairs of items.

    letters     one string per item; 'a' begins with the best
    p_values    `[items, items]`, adjusted by Holm; 1 on the diagonal
    family      how many tests the correction is over
    """

    items: tuple[str, ...]
    letters: tuple[str, ...]
    p_values: FloatArray
    alpha: float
    family: int


def significance_groups(
    fit: BradleyTerryFit, *, alpha: float = 0.05, errors: Errors = "raters"
) -> SignificanceGroups:
    """Two-sided tests of all differences, Holm (1979, Scand. J. Stat. 6:65), and their letters.

    Letters by insert-and-absorb (Piepho 2004, J. Comput. Graph. Stat. 13:456). Raises
    `ConfigError` for an alpha outside (0, 1), `NotConvergedError` for a fit of several blocks,
    whose items cannot be compared.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, got {alpha}")
    if fit.block.max() > 0:
        raise NotConvergedError("items of different blocks cannot be tested against each other")
    n, df = len(fit.items), degrees_of_freedom(fit.model, errors)
    upper = np.triu_indices(n, 1)
    gap = np.abs(fit.log_worth[upper[0]] - fit.log_worth[upper[1]])
    with np.errstate(divide="ignore"):
        statistic = gap / fit.difference_errors(errors)[upper]
    single = 2 * (special.ndtr(-statistic) if np.isinf(df) else special.stdtr(df, -statistic))
    p_values = np.ones((n, n))
    p_values[upper] = holm(single)
    p_values = np.minimum(p_values, p_values.T)
    letters = compact_letters(p_values <= alpha, np.argsort(-fit.log_worth, kind="stable"))
    return SignificanceGroups(fit.items, letters, p_values, alpha, len(single))


def holm(p_values: FloatArray) -> FloatArray:
    """Adjusted p-values `[n]` that control the chance of any false rejection."""
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def compact_letters(differ: BoolArray, order: np.ndarray) -> tuple[str, ...]:
    """Letters such that two items share one if and only if they do not `differ` `[n, n]`.

    `order` `[n]` lists the items from best to worst, which is how letters are dealt out.
    """
    columns = [frozenset(range(len(differ)))]
    for i, j in np.argwhere(np.triu(differ)):
        split = [c for c in columns if i in c and j in c]
        parts = [c - {k} for c in split for k in (int(i), int(j))]
        columns = _absorbed([c for c in columns if c not in split] + parts)
    place = {int(item): k for k, item in enumerate(order)}
    columns.sort(key=lambda column: sorted(place[k] for k in column))
    names = [_name(k) for k in range(len(columns))]
    return tuple(
        "".join(name for name, column in zip(names, columns, strict=True) if k in column)
        for k in range(len(differ))
    )


def _absorbed(columns: list[frozenset[int]]) -> list[frozenset[int]]:
    """Without those that lie in another."""
    distinct = sorted(set(columns), key=len, reverse=True)
    kept: list[frozenset[int]] = []
    for column in distinct:
        if not any(column <= other for other in kept):
            kept.append(column)
    return kept


def _name(k: int) -> str:
    """a .. z, then a1 .. z1 and so on."""
    round_, letter = divmod(k, len(ascii_lowercase))
    return ascii_lowercase[letter] + (str(round_) if round_ else "")
