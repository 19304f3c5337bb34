"""What a model of rankings says about items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from auralign.stats.arrays import FloatArray
from auralign.stats.comparisons import index_of
from auralign.stats.pairs.bradley_terry import ELO_PER_LOGIT
from auralign.stats.sandwich import clustered_errors, clustered_interval
from auralign.types import Estimate


@dataclass(frozen=True, eq=False)
class RankingFit:
    """Log-worths that sum to zero, `[items]`, and how far to trust them.

    covariance        `[items, items]`, from the inverse information: right if all answers are
                      independent
    scores            sparse `[items, raters]`: the gradient of each rater's answers, without what
                      tie parameters explain of it; the sandwich estimator is made of it
    tie_parameters    delta of each number of tied items, 2 for a pair; empty without ties
    log_likelihood    of the answers, without the prior's part
    n                 answers of positive weight
    gradient_max      largest part of the gradient at the last step
    warnings          sentences that belong next to the numbers
    """

    items: tuple[str, ...]
    log_worth: FloatArray
    covariance: FloatArray
    scores: sparse.csr_array
    tie_parameters: Mapping[int, float]
    log_likelihood: float
    n: int
    iterations: int
    gradient_max: float
    status: Literal["maximum likelihood", "regularised"]
    warnings: tuple[str, ...]
    model: str

    @property
    def n_raters(self) -> int:
        return int(self.scores.shape[1])

    @property
    def standard_errors(self) -> FloatArray:
        errors: FloatArray = np.sqrt(np.diag(self.covariance))
        return errors

    @property
    def influence(self) -> FloatArray:
        """`[items, raters]`: by how much each rater moves the log-worths (first order)."""
        moved: FloatArray = (self.scores.T @ self.covariance).T
        return moved

    @property
    def clustered_standard_errors(self) -> FloatArray:
        """`[items]`, sandwich over raters: right also for dependent answers; NaN with one rater."""
        return clustered_errors(self.influence)

    @property
    def elo(self) -> FloatArray:
        """Log-worths on Elo's display scale: 400 points are odds of ten to one, mean 1000."""
        points: FloatArray = 1000 + ELO_PER_LOGIT * self.log_worth
        return points

    def difference(self, first: str, second: str, *, level: float = 0.95) -> Estimate:
        """Log-worth of `first` minus that of `second`, with Student's t on raters - 1.

        Raises `DataError` for an unknown item, `NotConvergedError` with fewer than two raters.
        """
        i, j = index_of(self.items, first), index_of(self.items, second)
        moved = self.scores.T @ (self.covariance[i] - self.covariance[j])
        value = float(self.log_worth[i] - self.log_worth[j])
        method = f"{self.model} difference of log-worths"
        return clustered_interval(value, moved, level, self.n, method)
