"""Rewards by name in an array of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.rewards.combining.combination import Float


def columns_of(names: Sequence[str], rewards: Iterable[str]) -> list[int]:
    """Where `rewards` stand among `names`; ConfigError for one that is not there."""
    columns = []
    for reward in rewards:
        if reward not in names:
            raise ConfigError(
                f"expected a reward out of {', '.join(names)}, got '{reward}'"
                f"{did_you_mean(reward, names)}"
            )
        columns.append(names.index(reward))
    return columns


def scored(values: Float, names: Sequence[str], columns: Sequence[int]) -> Float:
    """Those columns of `[clips, rewards]`, NaN wherever they are not finite.

    Raises DataError unless there is a column for each of `names`.
    """
    if values.ndim != 2 or values.shape[1] != len(names):
        raise DataError(
            f"expected values as [clips, {len(names)}], a column for each of {', '.join(names)}, "
            f"got the shape {list(values.shape)}"
        )
    taken = values[:, columns].astype(np.float64)
    return np.where(np.isfinite(taken), taken, np.nan)


def mean_of_scored(values: Float) -> Float:
    """Mean of each column of `[clips, rewards]` over the clips that have a value; NaN for none."""
    n = np.isfinite(values).sum(0)
    means: Float = np.full(values.shape[1], np.nan)
    np.divide(np.nansum(values, 0), n, out=means, where=n > 0)
    return means
