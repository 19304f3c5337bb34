"""Automated measures: what a program says about a clip.

signal        what a signal is; `registry` has them all by name, `explain` puts them into words
gate          what a clip must be before any signal is asked about it
ask           signals about clips in memory; `summary` says what came of many, and over how many
measures      of the offline set; `models`, of extras; `sets`, distances between sets of recordings
running       many signals about many files: plans, processes, results that survive
recognisers   small word recognisers, trained on the spot
"""

from __future__ import annotations

from auralign.lazy import importer

_PUBLIC = {
    "ClipFile": "running.plan",
    "Direction": "signal",
    "Item": "signal",
    "Measure": "signal",
    "Missing": "signal",
    "Request": "ask",
    "Requirement": "signal",
    "Row": "running.results",
    "Signal": "signal",
    "Validity": "signal",
    "clips_at": "running.inputs",
    "clips_of": "running.inputs",
    "export_results": "running.export",
    "find": "registry",
    "join_study": "running.judgements",
    "read_results": "running.results",
    "run_signals": "running.runner",
    "score_items": "ask",
    "select": "registry",
    "summarise": "summary",
}
"""Name -> module. Whoever needs one module of this room does not wait for the others (PEP 562)."""

__getattr__ = importer(__name__, _PUBLIC)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
