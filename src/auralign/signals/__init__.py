"""Automated measures: what a program says about a clip.

signal     what a signal is; `registry` has them all by name, `explain` puts them into words
gate       what a clip must be before any signal is asked about it
ask        signals about clips in memory; `runner` asks many signals about many files
results    what they said, as JSON Lines; `summary`, `export` and `judgements` read them
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "ClipFile": "plan",
    "Direction": "signal",
    "Item": "signal",
    "Measure": "signal",
    "Missing": "signal",
    "Request": "ask",
    "Requirement": "signal",
    "Row": "results",
    "Signal": "signal",
    "Validity": "signal",
    "clips_at": "inputs",
    "clips_of": "inputs",
    "export_results": "export",
    "find": "registry",
    "join_study": "judgements",
    "read_results": "results",
    "run_signals": "runner",
    "score_items": "ask",
    "select": "registry",
    "summarise": "summary",
}
"""Name -> module. Whoever needs one module of this room does not wait for the others (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
