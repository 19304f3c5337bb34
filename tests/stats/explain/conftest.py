"""Simulated comparisons of clips with attributes."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from auralign.types import Comparisons

Simulate = Callable[..., tuple[Comparisons, dict[str, dict[str, float]]]]


@pytest.fixture
def simulate() -> Simulate:
    """Comparisons that follow coefficients per standard deviation, and the attributes."""

    def make(coefficients, *, n_items=40, n_raters=30, each=20, seed=0, rater_sd=0.0, ties=0.0):
        rng = np.random.default_rng(seed)
        k, n = len(coefficients), n_raters * each
        values = rng.normal(size=(n_items, k)) * np.arange(1, k + 1) + 5
        standardised = values / values.std(axis=0, ddof=1)
        first = rng.integers(n_items, size=n)
        second = (first + rng.integers(1, n_items, size=n)) % n_items
        rater = np.repeat(np.arange(n_raters), each)
        own = np.asarray(coefficients) + rater_sd * rng.normal(size=(n_raters, k))
        margin = ((standardised[first] - standardised[second]) * own[rater]).sum(axis=1)
        outcome = (rng.random(n) < special.expit(margin)).astype(float)
        outcome[rng.random(n) < ties] = 0.5
        items = tuple(f"clip{i:02d}" for i in range(n_items))
        comparisons = Comparisons(
            first=first,
            second=second,
            outcome=outcome,
            weight=np.ones(n),
            rater=rater,
            cluster=np.arange(n) % 11,
            items=items,
            raters=tuple(f"rater{i:02d}" for i in range(n_raters)),
        )
        attributes = {
            f"a{j}": dict(zip(items, values[:, j].tolist(), strict=True)) for j in range(k)
        }
        return comparisons, attributes

    return make
