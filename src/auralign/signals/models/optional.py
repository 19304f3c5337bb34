"""Packages that an extra installs, imported when a signal that needs one is loaded."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from types import ModuleType

from auralign.errors import MissingExtraError


def optional(package: str, extra: str) -> ModuleType:
    """The module `package`; MissingExtraError names the extra when it is not installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(package, extra) from error


def optional_extension(package: str, module: str, extra: str) -> ModuleType:
    """The compiled `module` of a package whose own `__init__` is not run.

    For packages whose `__init__` fails where the compiled part works. Raises MissingExtraError.
    """
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    spec = importlib.machinery.PathFinder.find_spec(f"{package}.{module}", places or [])
    if spec is None or spec.loader is None:
        raise MissingExtraError(package, extra)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return extension
