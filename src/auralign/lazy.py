"""Names of a room that are imported when somebody asks for them (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def importer(room: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose public names live in these modules below it.

    room      the package's `__name__`
    modules   name -> module, relative to the room

    Whoever needs one module does not wait for what the others import.
    """

    def attribute(name: str) -> Any:
        if name in modules:
            return getattr(importlib.import_module(f"{room}.{modules[name]}"), name)
        raise AttributeError(f"module '{room}' has no attribute '{name}'")

    return attribute
