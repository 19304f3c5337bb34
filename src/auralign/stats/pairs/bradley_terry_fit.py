"""What a Bradley-Terry fit found: log-worths, how far to trust them, and what to say of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from auralign.errors import ConfigError, DataError, NotConvergedError
from auralign.stats.arrays import FloatArray, IntArray
from auralign.stats.comparisons import index_of
from auralign.stats.pairs.connectivity import count_parts
from auralign.stats.pairs.fitted_model import MAX_DENSE_INVERSE, FittedModel
from auralign.stats.pairs.standard_errors import (
    Errors,
    combined,
    contrast_interval,
    covariances,
    difference_variances,
    information_errors,
    rater_influence,
)
from auralign.stats.sandwich import FEW_CLUSTERS, clustered_errors
from auralign.types import Estimate

ELO_PER_LOGIT = 400 / math.log(10)


@dataclass(frozen=True, eq=False)
class BradleyTerryFit:
    """Log-worths in logits that sum to zero (in each block), `[items]`, and how far to trust them.

    Standard errors, likelihood and warnings are computed when they are first asked for.

    block              `[items]`; worths of items in different blocks cannot be compared
    order_effect       what being presented first adds to the margin, in logits; None if not fitted
    nu                 Davidson's tie parameter, None under other models of ties
    threshold          Rao & Kupper's log eta: the margin that ends ties; None under other models
    n                  comparisons of positive weight
    gradient_max       largest part of the gradient at the last step
    status             "regularised" where a prior drew the worths together
    model              parameters and data, for `bootstrap_worths`, `goodness_of_fit` and the like
    """

    items: tuple[str, ...]
    block: IntArray
    log_worth: FloatArray
    order_effect: float | None
    nu: float | None
    threshold: float | None
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood", "regularised"]
    model: FittedModel = field(repr=False)
    remarks: tuple[str, ...] = field(default=(), repr=False)

    @property
    def elo(self) -> FloatArray:
        """Log-worths on Elo's display scale: 400 points are odds of ten to one, mean 1000."""
        points: FloatArray = 1000 + ELO_PER_LOGIT * self.log_worth
        return points

    @cached_property
    def n_raters(self) -> int:
        return int(np.count_nonzero(np.bincount(self.model.comparisons.rater[self.model.used])))

    @cached_property
    def log_likelihood(self) -> float:
        """Of the comparisons, without the prior's part."""
        return self.model.at_rows.log_likelihood

    @cached_property
    def standard_errors(self) -> FloatArray:
        """`[items]`, from the inverse information: right if all comparisons are independent and
        ties are modelled. NaN above `MAX_DENSE_INVERSE` items in a block."""
        return information_errors(self.model)

    @cached_property
    def clustered_standard_errors(self) -> FloatArray:
        """`[items]`, sandwich over raters: right also for dependent answers and for half-wins.

        NaN with one rater.
        """
        return clustered_errors(self.influence)

    @cached_property
    def influence(self) -> FloatArray:
        """`[items, raters]`: by how much the answers of each rater move the log-worths (first
        order)."""
        return rater_influence(self.model)

    @cached_property
    def order_effect_error(self) -> float:
        """Standard error of the order effect from the inverse information; NaN if not fitted."""
        if self.order_effect is None:
            return math.nan
        first = np.zeros((len(self.model.shared), 1))
        first[0] = 1
        _, y = self.model.solve(np.zeros((len(self.model.block), 1)), first)
        return float(np.sqrt(y[0, 0]))

    def errors(self, kind: Errors) -> FloatArray:
        """Standard errors `[items]` of the centred log-worths; see `Errors`.

        NaN where items are too many for a dense inverse or clusters too few.
        """
        parts = covariances(self.model, kind)
        return np.sqrt(combined(parts, lambda covariance: covariance.diagonal()))

    def covariance(self, kind: Errors = "information") -> FloatArray:
        """Covariance matrix `[items, items]` of the centred log-worths.

        Raises `NotConvergedError` where it does not exist, `ConfigError` for two-way errors, whose
        sum of three matrices need not be a covariance: take `difference_errors`.
        """
        parts = covariances(self.model, kind)
        if len(parts) > 1:
            raise ConfigError("two-way errors have no single covariance: use difference_errors")
        if not np.isfinite(parts[0][1]).all():
            raise NotConvergedError(f"no covariance by '{kind}': too many items or too few raters")
        return parts[0][1]

    def difference_errors(self, kind: Errors = "raters") -> FloatArray:
        """Standard errors `[items, items]` of all differences; infinite across blocks."""
        errors = np.sqrt(combined(covariances(self.model, kind), difference_variances))
        return np.where(self.block[:, None] == self.block, errors, np.inf)

    def difference(
        self, first: str, second: str, *, level: float = 0.95, errors: Errors = "raters"
    ) -> Estimate:
        """Log-worth of `first` minus that of `second`, with its interval.

        Raises `DataError` for an unknown item or items of two blocks, `NotConvergedError` with
        fewer than two raters (or clusters).
        """
        i, j = index_of(self.items, first), index_of(self.items, second)
        if self.block[i] != self.block[j]:
            raise DataError(f"'{first}' and '{second}' are in different blocks: not comparable")
        weights = np.zeros(len(self.items))
        weights[[i, j]] = 1, -1
        return self.contrast(weights, level=level, errors=errors)

    def contrast(
        self, weights: ArrayLike, *, level: float = 0.95, errors: Errors = "raters"
    ) -> Estimate:
        """Sum of `weights` `[items]` times log-worths, with its interval.

        Raises `DataError` unless the weights sum to zero in each block: other sums depend on
        where the scale has its zero.
        """
        c = np.asarray(weights, dtype=np.float64)
        if c.shape != (len(self.items),) or not np.isfinite(c).all():
            raise DataError(f"a contrast needs {len(self.items)} finite weights, one per item")
        if np.abs(np.bincount(self.block, c)).max() > 1e-9 * max(np.abs(c).max(), 1e-300):
            raise DataError("the weights of a contrast must sum to zero in each block")
        return contrast_interval(self.model, self.log_worth, c, errors, level)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that belong next to the numbers."""
        model, n_raters = self.model, self.n_raters
        tied = bool((model.comparisons.outcome[model.used] == 0.5).any())
        counted_half = self.nu is None and self.threshold is None
        remarks = {
            **_prior_remarks(model),
            "ties count half: standard_errors are too wide, clustered_standard_errors are not": (
                counted_half and tied
            ),
            "no ties: Davidson's nu is 0": self.nu == 0,
            "no ties: Rao & Kupper's threshold is 0": self.threshold == 0,
            f"{n_raters} raters: clustered_standard_errors tend to be too narrow below "
            f"{FEW_CLUSTERS}; take errors='jackknife'": 1 < n_raters < FEW_CLUSTERS,
            "one rater: clustered_standard_errors do not exist": n_raters == 1,
            f"no standard_errors above {MAX_DENSE_INVERSE} items in a block": (
                np.bincount(model.block).max() > MAX_DENSE_INVERSE
            ),
        }
        return self.remarks + tuple(text for text, applies in remarks.items() if applies)


def _prior_remarks(model: FittedModel) -> dict[str, bool]:
    n_blocks = int(model.block.max()) + 1
    text = (
        f"regularised: {model.prior:g} wins and {model.prior:g} losses of each item against a "
        "ghost item draw the worths together"
    )
    if model.ridge:
        text = (
            f"regularised: a normal prior of sd {model.ridge**-0.5:g} logits on each log-worth "
            "draws them together"
        )
    regularised = model.prior > 0 or model.ridge > 0
    n_parts = count_parts(model.rows, model.n_items) if regularised else n_blocks
    return {
        text: regularised,
        f"the comparison graph falls into {n_parts} components; only the prior relates them": (
            n_parts > n_blocks
        ),
    }
