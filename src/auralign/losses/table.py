"""All objectives by name; each module of a family exports its own `ENTRIES`."""

from __future__ import annotations

from auralign.losses import (
    auxiliary,
    conditional,
    cross_prompt,
    divergences,
    listwise,
    pairwise,
    reference_free,
    shapes,
    soft_labels,
    token_weights,
    trees,
    unpaired,
    weighted,
)
from auralign.losses.objective import Objective

_FAMILIES = (
    pairwise,
    shapes,
    divergences,
    reference_free,
    weighted,
    token_weights,
    conditional,
    cross_prompt,
    auxiliary,
    unpaired,
    listwise,
    soft_labels,
    trees,
)

OBJECTIVES: dict[str, Objective] = {
    name: objective for family in _FAMILIES for name, objective in family.ENTRIES.items()
}
