"""Has a model with ties a finite maximum? The graph's answer against a linear programme."""

import numpy as np
import pytest
from scipy.optimize import linprog

from auralign.errors import NotConvergedError
from auralign.stats.comparisons import comparisons_of
from auralign.stats.pairs import fit_bradley_terry


def recedes(first, second, outcome, n: int) -> bool:
    """Some direction of (worths, tie parameter) lets no outcome's probability vanish.

    Moving along u and v, a win stays likely if u_winner - u_loser >= 2 v, a tie if
    |u_first - u_second| <= 2 v; the likelihood has no finite maximum iff such a (u, v) exists.
    """
    rows = []
    for i, j, y in zip(first, second, outcome, strict=True):
        ahead = np.zeros(n + 1)
        ahead[i], ahead[j] = 1, -1
        tie = 2 * np.eye(n + 1)[n]
        rows += [ahead - tie, -ahead - tie] if y == 0.5 else [tie - (2 * y - 1) * ahead]
    at_most = {"A_ub": np.array(rows), "b_ub": np.zeros(len(rows)), "bounds": [(-1, 1)] * (n + 1)}
    centred = {"A_eq": [np.append(np.ones(n), 0)], "b_eq": [0]}
    directions = [sign * row for row in np.eye(n + 1) for sign in (1, -1)]
    return any(-linprog(-d, **at_most, **centred).fun > 1e-7 for d in directions)


def draw(rng: np.random.Generator):
    n, m = int(rng.integers(2, 5)), int(rng.integers(3, 9))
    first = rng.integers(0, n, m)
    second = (first + rng.integers(1, n, m)) % n
    return first, second, rng.choice([0, 0.5, 1.0], m), n


def test_a_fit_is_refused_exactly_where_the_likelihood_has_no_finite_maximum():
    rng = np.random.default_rng(0)
    verdicts = []
    while len(verdicts) < 60:
        first, second, outcome, n = draw(rng)
        tied = outcome == 0.5
        if len({*first, *second}) < n or not tied.any() or tied.all():
            continue
        comparisons = comparisons_of(first, second, outcome, items=[f"i{k}" for k in range(n)])
        verdicts.append(recedes(first, second, outcome, n))
        for ties in ("davidson", "rao_kupper"):
            try:
                fit_bradley_terry(comparisons, ties=ties)
                refused = False
            except NotConvergedError:
                refused = True
            assert refused == verdicts[-1], (ties, first, second, outcome)
    assert 10 < sum(verdicts) < 50


def test_wins_and_ties_without_a_loss_are_refused_with_the_reason():
    one_sided = comparisons_of([0] * 5, [1] * 5, [1, 1, 1, 0.5, 0.5])
    for ties in ("davidson", "rao_kupper"):
        with pytest.raises(NotConvergedError, match=r"no finite tie parameter.*ties='half'"):
            fit_bradley_terry(one_sided, ties=ties)
    assert fit_bradley_terry(one_sided, ties="davidson", prior=0.5).status == "regularised"
