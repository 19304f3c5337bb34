"""Selection of pairs by how clearly the reference tells their clips apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auralign.errors import ConfigError
from auralign.types import PreferencePair


def clearest_pairs(
    pairs: Sequence[PreferencePair],
    reference_margins: Sequence[float],
    *,
    share: float = 0.5,
    absolute: bool = False,
) -> list[PreferencePair]:
    """The share of pairs with the largest margin under the reference, in their order.

    reference_margins   log p_reference(chosen) - log p_reference(rejected), nats
    share               0.5; 0.3 to 0.5 of the data sufficed in the source
    absolute            by size of the margin only: keeps pairs that the reference has wrong

    Whatever the reference ranks wrong goes first unless `absolute`, and with it every pair that
    alignment would have to flip.

    arXiv 2501.15109 (derived: sign, scaling by length and quantile of the margin are not stated in
    what could be read). Raises ConfigError for a share outside (0, 1].
    """
    if not 0 < share <= 1 or len(reference_margins) != len(pairs):
        raise ConfigError(
            f"expected a share in (0, 1] and a margin for each of {len(pairs)} pairs, "
            f"got {share:g} and {len(reference_margins)} margins"
        )
    margins = np.asarray(reference_margins, dtype=np.float64)
    clarity = np.abs(margins) if absolute else margins
    n_kept = max(1, round(share * len(pairs)))
    kept = np.sort(np.argsort(-clarity, kind="stable")[:n_kept])
    return [pairs[i] for i in kept]
