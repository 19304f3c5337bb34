"""How strong a preference is, measured by several reward models, and what to do with weak ones.

arXiv 2401.06080 (Secrets of RLHF in large language models, part II).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from auralign.errors import ConfigError, DataError
from auralign.types import PreferencePair

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Strength:
    """Mean and standard deviation of a pair's reward margin over models, `[pairs]`, logits."""

    mean: Float
    sd: Float


def preference_strength(margins: Float) -> Strength:
    """Of margins R(chosen) - R(rejected), `[models, pairs]`; the sd divides by the models' number.

    The source trains 10 models on the same pairs in random orders. A negative mean says that the
    label is more likely wrong than right. Raises DataError for fewer than 2 models.
    """
    if margins.ndim != 2 or len(margins) < 2:
        raise DataError(
            f"expected margins [models, pairs] of at least 2 reward models, got {margins.shape}"
        )
    return Strength(margins.mean(axis=0), margins.std(axis=0))


def flip_weakest(
    pairs: Sequence[PreferencePair], strength: Strength, *, share: float = 0.1
) -> list[PreferencePair]:
    """The same pairs, the share of the lowest mean strength with chosen and rejected exchanged.

    share   0.1 (0.1 to 0.2 in the source)

    Only pairs of negative mean are flipped. A flipped pair keeps its `p_chosen`, which is now the
    models' word against the listeners', and its rule ends in `_flipped`. Raises ConfigError for a
    share outside [0, 1] or strengths of other pairs.
    """
    if not 0 <= share <= 1 or len(strength.mean) != len(pairs):
        raise ConfigError(
            f"expected a share in [0, 1] and a strength for each of {len(pairs)} pairs, "
            f"got {share:g} and {len(strength.mean)} strengths"
        )
    weakest = np.argsort(strength.mean, kind="stable")[: round(share * len(pairs))]
    wrong = {int(i) for i in weakest if strength.mean[i] < 0}
    return [_flipped(pair) if i in wrong else pair for i, pair in enumerate(pairs)]


def _flipped(pair: PreferencePair) -> PreferencePair:
    return replace(pair, chosen=pair.rejected, rejected=pair.chosen, rule=f"{pair.rule}_flipped")
