"""From labelled clips to the threshold of a guardrail: how good is good enough.

The maximum of more clips is higher, whether they are acceptable or not, so that a threshold belongs
to the numbers m and N that it was found for (arXiv 2510.04087).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auralign.errors import ConfigError, DataError
from auralign.stats.proportions import clopper_pearson
from auralign.test_time.selection import Float, require_positive
from auralign.types import Estimate


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold for `best_of_mini_n`, and what it did to the clips that it was found on.

    false_accepts   share of the prompts that got a clip which is not acceptable
    answered        share of the prompts that got a clip
    """

    threshold: float
    false_accepts: Estimate
    answered: Estimate


def calibrate_threshold(
    rewards: ArrayLike, acceptable: ArrayLike, *, m: int, most_false: float, level: float = 0.95
) -> Calibration:
    """The lowest threshold from which on no more than `most_false` of the prompts get a bad clip.

    rewards      float [prompts, N], clips in the order drawn; NaN where there is no score
    acceptable   bool [prompts, N], what listeners said of them
    m            clips of a loop; N is a multiple of it
    most_false   share from 0 to 1
    level        of the intervals, which are exact for prompts that are independent; they know
                 nothing of the search for the threshold, so confirm it on other prompts

    Derived: the source's own rule could not be read. The share is not monotone, because a higher
    threshold may wait for a worse clip; "from which on" means that every higher one keeps to it,
    too. Raises DataError for arrays that do not fit, ConfigError for most_false outside [0, 1].
    """
    scores, good = _loops(rewards, acceptable, m)
    if not 0 <= most_false <= 1:
        raise ConfigError(f"most_false: expected a share from 0 to 1, got {most_false:g}")
    thresholds = np.append(-np.inf, np.unique(scores[np.isfinite(scores)]))
    n_false, n_answered = np.array([_counts(scores, good, t) for t in thresholds]).T
    too_many = np.flatnonzero(n_false > most_false * len(scores))
    # At the highest reward nothing is above the threshold, and nobody gets a bad clip.
    first = too_many[-1] + 1 if len(too_many) else 0
    n = len(scores)
    return Calibration(
        float(thresholds[first]),
        clopper_pearson(n_false[first], n, level=level),
        clopper_pearson(n_answered[first], n, level=level),
    )


def _loops(rewards: ArrayLike, acceptable: ArrayLike, m: int) -> tuple[Float, NDArray[np.bool_]]:
    """Of each loop the best reward and whether that clip is acceptable, `[prompts, loops]`."""
    require_positive(m=m)
    scores, labels = np.asarray(rewards, dtype=np.float64), np.asarray(acceptable)
    if scores.ndim != 2 or scores.shape != labels.shape or labels.dtype != np.bool_:
        raise DataError(
            "expected rewards and truth values of one shape [prompts, clips], got "
            f"{scores.shape} and {labels.dtype} {labels.shape}"
        )
    n_prompts, n_clips = scores.shape
    if not scores.size or n_clips % m:
        raise DataError(
            f"expected whole loops of {m} clips for at least one prompt, got {n_clips} clips for "
            f"{n_prompts}: cut the rows"
        )
    by_loop = np.where(np.isnan(scores), -np.inf, scores).reshape(n_prompts, -1, m)
    best = by_loop.argmax(-1)[..., None]
    picked = np.take_along_axis(labels.reshape(by_loop.shape), best, -1)
    return np.take_along_axis(by_loop, best, -1)[..., 0], picked[..., 0]


def _counts(scores: Float, good: NDArray[np.bool_], threshold: float) -> tuple[int, int]:
    """How many prompts get a bad clip, and how many get one at all."""
    passed = scores > threshold
    answered = passed.any(-1)
    at = passed.argmax(-1)
    bad = ~good[np.arange(len(good)), at] & answered
    return int(bad.sum()), int(answered.sum())
