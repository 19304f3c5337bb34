"""auralign turns what listeners prefer into better audio generators."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_RECORDS = (
    "Audio",
    "Candidate",
    "Clip",
    "Comparisons",
    "Estimate",
    "Feedback",
    "Heard",
    "Judgement",
    "Outcome",
    "PreferencePair",
    "Prompt",
    "RankedList",
    "Score",
    "ScoreStatus",
    "Source",
    "Split",
    "TrialProtocol",
)


def __getattr__(name: str) -> Any:
    # The records need numpy, which `import auralign` alone does not wait for (PEP 562).
    if name in _RECORDS:
        return getattr(importlib.import_module("auralign.types"), name)
    raise AttributeError(f"module 'auralign' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_RECORDS]
