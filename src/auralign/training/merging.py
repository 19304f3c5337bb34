"""Preference vectors: what training on a preference changed, added to a model in any amount.

Weights are state dicts of one architecture; nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from auralign.errors import ConfigError

Weights = Mapping[str, Tensor]


def preference_vector(preferred: Weights, swapped: Weights) -> dict[str, Tensor]:
    """Weights trained on pairs less weights trained on the same pairs with labels exchanged.

    Their difference holds the preference; what both learnt of the clips cancels. Buffers that hold
    no floats are left out.

    arXiv 2504.20106 (derived: which two trainings are subtracted is from memory of the paper).
    Raises ConfigError for weights of different models.
    """
    _require_same(preferred, swapped)
    return {
        name: value.detach() - swapped[name].detach()
        for name, value in preferred.items()
        if value.is_floating_point()
    }


def merge_preferences(
    base: Weights, vectors: Sequence[Weights], strengths: Sequence[float]
) -> dict[str, Tensor]:
    """base + sum of strength times vector.

    strengths   one for each vector, free to choose at sampling time; negative ones turn back

    arXiv 2504.20106. Raises ConfigError where numbers or names do not match.
    """
    if len(vectors) != len(strengths):
        raise ConfigError(
            f"expected a strength for each of {len(vectors)} vectors, got {len(strengths)}"
        )
    merged = {name: value.detach().clone() for name, value in base.items()}
    floats = {name: value for name, value in merged.items() if value.is_floating_point()}
    for vector, strength in zip(vectors, strengths, strict=True):
        _require_same(floats, vector)
        for name, change in vector.items():
            merged[name] = merged[name] + strength * change.to(merged[name])
    return merged


def _require_same(a: Weights, b: Weights) -> None:
    if a.keys() != b.keys():
        differ = ", ".join(sorted(a.keys() ^ b.keys()))
        raise ConfigError(f"expected weights of one model, but {differ} are in one of them only")
