"""Which licences a user has to be told about."""

from __future__ import annotations

from auralign.signals.signal import Signal

PERMISSIVE = frozenset(
    {
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC-BY-4.0",
        "CC0-1.0",
        "ISC",
        "MIT",
    }
)
"""SPDX identifiers that ask for no more than being named."""


def restrictive_licence(signal: Signal) -> str | None:
    """What in the licences of its code and weights is not permissive, or None."""
    licences = {"code": signal.code_licence, "weights": signal.weights_licence}
    asking = [f"{what}: {name}" for what, name in licences.items() if name and not _frees(name)]
    return "; ".join(asking) or None


def _frees(licence: str) -> bool:
    return all(part.strip() in PERMISSIVE for part in licence.split(" AND "))
