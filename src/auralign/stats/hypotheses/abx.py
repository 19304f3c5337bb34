"""ABX: can listeners tell which of two stimuli the third one is?

A share of correct answers depends on the task; d', the distance of the two stimuli in standard
deviations of a listener's noise, does not. It follows from a model of how the answer is found
(Macmillan & Creelman 2005, Detection Theory, 2nd ed., ch. 9 and table A5.3):

differencing   X is compared with A and with B, the nearer one wins; stimuli that vary between
               trials (roving) leave no other way
independent    the three observations are used as well as they can be (fixed stimuli)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from auralign.errors import ConfigError, DataError
from auralign.stats.arrays import BoolArray
from auralign.stats.hypotheses.binomial import binomial_test
from auralign.stats.hypotheses.multiplicity import holm
from auralign.stats.hypotheses.result import FamilyOfTests, HypothesisTest
from auralign.stats.intervals import Labels, check_level
from auralign.types import Estimate

AbxModel = Literal["differencing", "independent"]

# The share of correct answers is 1 to double precision beyond it.
_LARGEST_D_PRIME = 40.0


@dataclass(frozen=True, slots=True)
class AbxResult:
    """One-sided tests against guessing, pooled and for each listener, and d' of the pool.

    `pooled` takes all answers as independent; look at `by_listener` before believing it.
    """

    pooled: HypothesisTest
    by_listener: FamilyOfTests
    d_prime: Estimate


def abx_test(
    correct: ArrayLike,
    listener: Labels,
    *,
    model: AbxModel,
    x_is_a: ArrayLike | None = None,
    level: float = 0.95,
) -> AbxResult:
    """Analysis of ABX trials: `correct` is bool `[n]`, `listener` labels `[n]`.

    Each listener's exact binomial test is adjusted by Holm. With `x_is_a`, bool `[n]`, d' is free
    of a bias to one side: it comes from the share that an unbiased listener would have,
    Phi((z(hits) - z(false alarms)) / 2), where a hit answers A to A and a false alarm A to B (half
    a trial is added to each count: Hautus 1995, Behav. Res. Methods 27:46). Else it comes from the
    share of correct answers, and the interval from Clopper & Pearson's.

    Raises `DataError` for no trials or unequal lengths, `ConfigError` for an unknown model.
    """
    check_level(level)
    right = np.asarray(correct, dtype=bool)
    names, code = np.unique(np.asarray(listener), return_inverse=True)
    if not len(right) or len(right) != len(code):
        raise DataError(f"expected a listener for each trial, got {len(code)} for {len(right)}")
    pooled = _guessing(right, level)
    by_listener = {str(name): _guessing(right[code == k], level) for k, name in enumerate(names)}
    if x_is_a is None:
        d_prime = _d_prime_of_share(pooled, model, len(names))
    else:
        d_prime = _unbiased_d_prime(right, np.asarray(x_is_a, dtype=bool), model, level, len(names))
    return AbxResult(
        pooled, holm(by_listener, family="ABX against guessing, each listener"), d_prime
    )


def abx_share_correct(
    d_prime: ArrayLike, *, model: AbxModel
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Share of correct answers of an unbiased listener at `d_prime` >= 0, of any shape."""
    if model not in _SCALE:
        raise ConfigError(f"model must be one of {', '.join(_SCALE)}, got '{model}'")
    d = np.asarray(d_prime, dtype=np.float64)
    first, second = d / np.sqrt(2), d / _SCALE[model]
    share = special.ndtr(first) * special.ndtr(second) + special.ndtr(-first) * special.ndtr(
        -second
    )
    return np.asarray(share, dtype=np.float64)


def abx_d_prime(share_correct: float, *, model: AbxModel) -> float:
    """d' at which an unbiased listener has this share of correct answers.

    0 at or below one half; infinite at 1, where d' has no value. Raises `DataError` outside [0, 1].
    """
    if not 0 <= share_correct <= 1:
        raise DataError(f"a share of correct answers is between 0 and 1, got {share_correct}")
    if share_correct >= abx_share_correct(_LARGEST_D_PRIME, model=model):
        return float("inf")
    low, high = 0.0, _LARGEST_D_PRIME
    # The share rises with d', so halving the interval finds it to the last digit.
    while (middle := (low + high) / 2) not in (low, high):
        if abx_share_correct(middle, model=model) < share_correct:
            low = middle
        else:
            high = middle
    return low if share_correct > 0.5 else 0.0


def minimum_correct(n: int, *, alpha: float = 0.05) -> int:
    """Fewest correct answers of `n` that guessing reaches with probability of at most `alpha`.

    Raises `DataError` when even `n` of `n` are not rare enough.
    """
    count = np.arange(n + 1)
    rare = np.flatnonzero(special.bdtrc(count, n, 0.5) <= alpha) + 1
    if n < 1 or rare[0] > n:
        raise DataError(f"{n} ABX trials cannot be significant at {alpha:g}: plan more of them")
    return int(rare[0])


def _guessing(correct: BoolArray, level: float) -> HypothesisTest:
    return binomial_test(int(correct.sum()), len(correct), alternative="greater", level=level)


def _d_prime_of_share(pooled: HypothesisTest, model: AbxModel, n_listeners: int) -> Estimate:
    share = pooled.effect
    assert share is not None
    value, low, high = (abx_d_prime(x, model=model) for x in (share.value, share.low, share.high))
    method = f"d' of ABX, {model} model; from Clopper-Pearson's interval of the share correct"
    return Estimate(value, low, high, share.level, pooled.n, n_listeners, method)


def _unbiased_d_prime(
    correct: BoolArray, x_is_a: BoolArray, model: AbxModel, level: float, n_listeners: int
) -> Estimate:
    if len(x_is_a) != len(correct) or x_is_a.all() or not x_is_a.any():
        raise DataError(
            f"x_is_a needs a value for each of {len(correct)} trials, some true and some false, "
            f"got {len(x_is_a)} with {x_is_a.sum()} true"
        )
    answers_a = correct == x_is_a
    trials = np.array([x_is_a.sum(), (~x_is_a).sum()])
    rate = (np.array([answers_a[x_is_a].sum(), answers_a[~x_is_a].sum()]) + 0.5) / (trials + 1)
    z = special.ndtri(rate)
    # Gourevitch & Galanter 1967, Psychometrika 32:25.
    error = np.sqrt((rate * (1 - rate) / trials * 2 * np.pi * np.exp(z**2)).sum())
    half = special.ndtri((1 + level) / 2) * error
    shares = special.ndtr((z[0] - z[1] + np.array([0, -half, half])) / 2)
    value, low, high = (abx_d_prime(float(x), model=model) for x in shares)
    method = f"d' of ABX, {model} model, unbiased; normal interval of z(hits) - z(false alarms)"
    return Estimate(value, low, high, level, len(correct), n_listeners, method)


_SCALE = {"differencing": np.sqrt(6), "independent": 2.0}
