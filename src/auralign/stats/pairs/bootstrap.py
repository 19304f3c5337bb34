"""Resampling of Bradley-Terry fits: by comparison, rater or cluster, or crossed; or by weights.

A resample in which some item never wins or never loses has no maximum. Such resamples are counted
and left out, which draws intervals in; with Dirichlet weights (Rubin 1981, Ann. Stat. 9:130) no
comparison is ever lost, so that they do not occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from scipy import special

from auralign.errors import ConfigError, DataError, NotConvergedError, did_you_mean
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import index_of
from auralign.stats.intervals import check_level
from auralign.stats.pairs.batched_newton import Singles, maximise_tables, tables_are_strong
from auralign.stats.pairs.bradley_terry_fit import BradleyTerryFit
from auralign.stats.pairs.connectivity import is_strong
from auralign.stats.pairs.fitted_model import FittedModel, with_ghosts
from auralign.stats.pairs.laplacian import MAX_DENSE_SOLVE, PairGraph, centre
from auralign.stats.pairs.maximum_likelihood import maximise
from auralign.stats.pairs.pair_models import condense, half_win
from auralign.types import Estimate

Units = Literal["comparisons", "raters", "clusters", "raters and clusters"]
Weights = Literal["multinomial", "dirichlet"]
Method = Literal["t", "percentile"]

CELLS_PER_BATCH = 160_000


@dataclass(frozen=True, eq=False)
class BootstrapWorths:
    """Log-worths of resamples, centred in each block.

    log_worth        `[items]`, of the data itself
    draws            `[resamples with a maximum, items]`
    n_resamples      asked for
    n_without        resamples without a maximum, left out
    n_units          what was resampled: the smaller side where two were
    """

    items: tuple[str, ...]
    block: IntArray
    log_worth: FloatArray
    draws: FloatArray
    n_resamples: int
    n_without: int
    units: Units
    weights: Weights
    n: int
    n_units: int

    @cached_property
    def standard_errors(self) -> FloatArray:
        """`[items]`, standard deviations of the draws."""
        errors: FloatArray = self.draws.std(axis=0, ddof=1)
        return errors

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.n_without:
            return ()
        return (
            f"{self.n_without} of {self.n_resamples} resamples have no maximum and are left out: "
            "intervals are too narrow; take weights='dirichlet' or fit with a prior",
        )

    def interval(self, item: str, *, level: float = 0.95, method: Method = "t") -> Estimate:
        """Interval of one log-worth (against the mean of its block); see `difference`."""
        i = index_of(self.items, item)
        return self._interval(float(self.log_worth[i]), self.draws[:, i], level, method)

    def difference(
        self, first: str, second: str, *, level: float = 0.95, method: Method = "t"
    ) -> Estimate:
        """Interval of a difference of log-worths; `DataError` across blocks.

        "t" is the estimate plus and minus the draws' standard deviation times Student's t on
        units - 1, corrected by units / (units - 1). "percentile" takes quantiles of the draws:
        too narrow for few units, as draws spread away from zero more than the estimate does.
        """
        i, j = index_of(self.items, first), index_of(self.items, second)
        if self.block[i] != self.block[j]:
            raise DataError(f"'{first}' and '{second}' are in different blocks: not comparable")
        value = float(self.log_worth[i] - self.log_worth[j])
        return self._interval(value, self.draws[:, i] - self.draws[:, j], level, method)

    def _interval(self, value: float, draws: FloatArray, level: float, method: Method) -> Estimate:
        check_level(level)
        _check_choice("method", method, get_args(Method))
        if len(draws) <= self.n_resamples // 2:
            raise NotConvergedError(
                f"only {len(draws)} of {self.n_resamples} resamples have a maximum: there is too "
                "little data for an interval; take weights='dirichlet' or fit with a prior"
            )
        tail = (1 + level) / 2
        if method == "t":
            n = self.n_units
            half = float(special.stdtrit(n - 1, tail) * draws.std(ddof=1) * (n / (n - 1)) ** 0.5)
            low, high = value - half, value + half
        else:
            low, high = (float(q) for q in np.quantile(draws, [1 - tail, tail]))
        name = {"t": "Student's t on bootstrap error", "percentile": "percentile bootstrap"}[method]
        text = f"{name} over {self.units}, {self.weights} weights, {self.n_resamples} resamples"
        if self.n_without:
            text += f" ({self.n_without} without a maximum, left out)"
        return Estimate(value, low, high, level, self.n, self.n_units, text)


def bootstrap_worths(
    fit: BradleyTerryFit,
    *,
    rng: np.random.Generator,
    units: Units = "raters",
    weights: Weights = "multinomial",
    n_resamples: int = 1000,
) -> BootstrapWorths:
    """Refit `fit` on resamples of its comparisons, raters or clusters.

    With "raters and clusters" both are resampled independently and a comparison counts the
    product of its two counts (Owen 2007, Ann. Appl. Stat. 1:386). "multinomial" draws units with
    replacement (Efron 1979); "dirichlet" gives each a random weight (Rubin 1981). Ties, order
    effect and prior are those of `fit`, and a prior is the same in each resample.

    Raises `ConfigError` for unknown options, `NotConvergedError` with fewer than two units.
    """
    _check(units, weights, n_resamples)
    model = fit.model
    drawn = _Units(model, units, weights, rng)
    simple = model.model is half_win and len(model.block) <= MAX_DENSE_SOLVE
    if simple and fit.block.max() == 0:
        found = list(_fit_tables(model, drawn, n_resamples))
    else:
        found = [_refit(model, drawn.multipliers(1)[0]) for _ in range(n_resamples)]
    draws = np.concatenate(found)[:, : model.n_items]
    draws = centre(draws.T, fit.block).T
    return BootstrapWorths(
        items=fit.items,
        block=fit.block,
        log_worth=fit.log_worth,
        draws=draws,
        n_resamples=n_resamples,
        n_without=n_resamples - len(draws),
        units=units,
        weights=weights,
        n=fit.n,
        n_units=drawn.smallest,
    )


class _Units:
    """What is resampled: how often each used comparison counts."""

    def __init__(
        self, model: FittedModel, units: Units, weights: Weights, rng: np.random.Generator
    ) -> None:
        c, used = model.comparisons, model.used
        sides = {"raters": c.rater, "clusters": c.cluster}
        self.rng, self.weights, self.n = rng, weights, len(used)
        self.sides = [
            np.unique(sides[name][used], return_inverse=True)[1]
            for name in sides
            if name in units.split(" and ")
        ]
        self.sizes = [int(side.max()) + 1 for side in self.sides] or [self.n]
        self.smallest = min(self.sizes)
        if self.smallest < 2:
            raise NotConvergedError(f"a bootstrap over {units} needs at least 2 of each, got 1")

    @property
    def are_rows(self) -> bool:
        """Are single comparisons drawn with replacement?"""
        return not self.sides and self.weights == "multinomial"

    def multipliers(self, n_resamples: int) -> FloatArray:
        """How often each comparison counts, `[resamples, comparisons]`."""
        draws = [self._draw(n_resamples, size) for size in self.sizes]
        if not self.sides:
            return draws[0]
        product = draws[0][:, self.sides[0]]
        for draw, side in zip(draws[1:], self.sides[1:], strict=True):
            product = product * draw[:, side]
        return product

    def _draw(self, n_resamples: int, size: int) -> FloatArray:
        if self.weights == "dirichlet":
            raw = self.rng.standard_exponential((n_resamples, size))
            raw *= size / raw.sum(axis=1, keepdims=True)
            return raw
        drawn = self.rng.integers(size, size=(n_resamples, size), dtype=np.int64)
        drawn += size * np.arange(n_resamples)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n_resamples * size)
        return counts.reshape(n_resamples, size).astype(np.float64)


def _fit_tables(model: FittedModel, units: _Units, n_resamples: int) -> Iterator[FloatArray]:
    """Log-worths of the resamples that have a maximum, batch by batch."""
    size = max(1, CELLS_PER_BATCH // len(model.block) ** 2)
    tables = _Tables(model)
    start = model.log_worth
    inverse = model.graph.pseudo_inverse(model.at_counts.slopes.information, model.ridge)
    dense = inverse @ np.eye(len(start))
    regularised = model.prior > 0 or model.ridge > 0
    for low in range(0, n_resamples, size):
        won = tables.resampled(units, min(size, n_resamples - low))
        if not regularised:
            won = won[tables_are_strong(won)]
        found, reached = maximise_tables(won, start, dense, model.ridge)
        yield found[reached]


class _Tables:
    """Tables of points for resamples: each used comparison has a cell of wins or of ties."""

    def __init__(self, model: FittedModel) -> None:
        rows, self.n_items = model.rows, len(model.block)
        tied, ahead = rows.ties > 0, rows.wins > 0
        winner = np.where(ahead, rows.first, rows.second)
        loser = np.where(ahead, rows.second, rows.first)
        self.any_tied = bool(tied.any())
        self.cell = winner * self.n_items + loser + tied * self.n_items**2
        total = rows.total
        self.weight = None if (total == 1).all() else total
        self.prior = np.zeros((self.n_items, self.n_items), dtype=np.float32)
        if model.prior > 0:
            self.prior[-1, :-1] = self.prior[:-1, -1] = model.prior

    def resampled(self, units: _Units, n_resamples: int) -> Singles:
        """Points of row over column, `[resamples, items, items]`."""
        n = self.n_items
        counts = np.empty((n_resamples, 1 + self.any_tied, n, n), dtype=np.float32)
        flat = counts.reshape(n_resamples, -1)
        if units.are_rows and self.weight is None:
            rows = units.rng.integers(units.n, size=(n_resamples, units.n))
            for place, drawn in zip(flat, rows, strict=True):
                place[:] = np.bincount(self.cell[drawn], minlength=flat.shape[1])
        else:
            weights = units.multipliers(n_resamples)
            if self.weight is not None:
                weights *= self.weight
            for place, drawn in zip(flat, weights, strict=True):
                place[:] = np.bincount(self.cell, drawn, flat.shape[1])
        won = counts[:, 0]
        if self.prior.any():
            won += self.prior
        if self.any_tied:
            won += (counts[:, 1] + counts[:, 1].transpose(0, 2, 1)) / 2
        return won


def _refit(model: FittedModel, multiplier: FloatArray) -> FloatArray:
    """Log-worths `[1, items + ghosts]` of one resample; `[0, ...]` where there is no maximum."""
    none = np.zeros((0, len(model.block)))
    kept = multiplier > 0
    rows = model.rows.where(kept)
    weight = multiplier[kept]
    rows = replace(
        rows, wins=rows.wins * weight, losses=rows.losses * weight, ties=rows.ties * weight
    )
    counts = condense(rows, model.n_items)
    regularised = model.prior > 0 or model.ridge > 0
    if not regularised and not is_strong(counts, model.block):
        return none
    counts = with_ghosts(counts, model.block, model.n_items, model.prior)
    graph = PairGraph(counts.first, counts.second, model.block)
    try:
        best = maximise(
            graph, counts, model.model, model.shared, ridge=model.ridge, start=model.log_worth
        )
    except NotConvergedError:
        return none
    return best.point.log_worth[None]


def _check(units: str, weights: str, n_resamples: int) -> None:
    _check_choice("units", units, get_args(Units))
    _check_choice("weights", weights, get_args(Weights))
    if n_resamples < 2:
        raise ConfigError(f"n_resamples must be at least 2, got {n_resamples}")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(
            f"{name} must be one of {', '.join(known)}, got '{value}'{did_you_mean(value, known)}"
        )
