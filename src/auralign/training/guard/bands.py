"""Bands that the SFT policy's own clips span, and where a policy in training stands next to them.

Both sides answer the same prompts, so that a shift is a mean of differences of prompts and its
standard error knows that clips of one prompt are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.float64]]
"""Measure -> value of each clip `[clips]`; NaN where it has none."""
PromptIndex = NDArray[np.int64]
"""Which prompt each clip answers, `[clips]`."""

QUANTILES = (0.01, 0.99)


@dataclass(frozen=True, eq=False)
class Band:
    """One measure on clips of the SFT policy.

    of_prompt   mean over the clips of each prompt, `[prompts]`; NaN where none has a value
    low, high   1 % and 99 % quantiles over clips
    n           clips with a value
    """

    of_prompt: NDArray[np.float64]
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Shift:
    """One measure on clips of a policy, next to its band; NaN where nothing can be compared.

    before, after   mean over the prompts that have a value on both sides
    error           standard error of their difference, over prompts
    below, above    share of the clips beyond the band's quantiles `low` and `high`
    n, n_missing    clips with and without a value
    n_prompts       prompts with a value on both sides; `n_reference` clips made the band
    better          1 where higher is better, -1 where lower is, 0 where neither is known
    """

    before: float
    after: float
    error: float
    low: float
    high: float
    below: float
    above: float
    n: int
    n_missing: int
    n_prompts: int
    n_reference: int
    better: int = 0

    @property
    def change(self) -> float:
        return self.after - self.before

    def risen(self, errors: float = 2.0) -> bool:
        """Whether the mean is higher, by more than so many standard errors."""
        return self.change > errors * self.error

    def fallen(self, errors: float = 2.0) -> bool:
        return -self.change > errors * self.error


def learn_bands(columns: Columns, prompt: PromptIndex) -> dict[str, Band]:
    """The band of each measure, from clips of several seeds for each prompt."""
    return {name: _band(values, prompt) for name, values in columns.items()}


def _band(values: NDArray[np.float64], prompt: PromptIndex) -> Band:
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, QUANTILES) if known.size else (np.nan, np.nan)
    n_prompts = int(prompt.max()) + 1
    return Band(_prompt_means(values, prompt, n_prompts), float(low), float(high), known.size)


def shift(
    band: Band, values: NDArray[np.float64], prompt: PromptIndex, *, better: int = 0
) -> Shift:
    """Where the clips of a policy, `[clips]`, stand next to the band of the same prompts."""
    now = _prompt_means(values, prompt, len(band.of_prompt))
    both = np.isfinite(now) & np.isfinite(band.of_prompt)
    n_prompts = int(both.sum())
    difference = (now - band.of_prompt)[both]
    known = values[np.isfinite(values)]
    error = difference.std(ddof=1) / np.sqrt(n_prompts) if n_prompts > 1 else np.nan
    return Shift(
        before=_mean(band.of_prompt[both]),
        after=_mean(now[both]),
        error=float(error),
        low=band.low,
        high=band.high,
        below=_mean(known < band.low),
        above=_mean(known > band.high),
        n=known.size,
        n_missing=values.size - known.size,
        n_prompts=n_prompts,
        n_reference=band.n,
        better=better,
    )


def _prompt_means(
    values: NDArray[np.float64], prompt: PromptIndex, n_prompts: int
) -> NDArray[np.float64]:
    """Mean over the clips of each prompt that have a value, `[prompts]`, else NaN."""
    known = np.isfinite(values)
    counts = np.bincount(prompt[known], minlength=n_prompts).astype(np.float64)
    sums = np.bincount(prompt[known], weights=values[known], minlength=n_prompts)
    means: NDArray[np.float64] = np.full(n_prompts, np.nan)
    return np.divide(sums, counts, out=means, where=counts > 0)


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else float("nan")
