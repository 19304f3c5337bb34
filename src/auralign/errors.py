"""One exception tree; a message is a sentence: what was expected, what came, where, what next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AuralignError(Exception):
    """Something auralign can explain in one sentence; the command line prints it and exits."""

    exit_code = 1


class InputError(AuralignError):
    """What the user gave cannot be used (exit code 2)."""

    exit_code = 2


class ConfigError(InputError):
    """A recipe or setting is wrong: unknown key, wrong type, value out of range."""


class DataError(InputError):
    """A record or a study folder is broken."""


class AudioError(DataError):
    """A clip cannot be used: unreadable, empty, silent, truncated, not finite."""


class RunStateError(InputError):
    """A run folder is not in the state that the command needs."""


class StorageError(InputError):
    """The disk refused a write: full, read-only, no permission."""


class MissingExtraError(InputError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package '{package}' is needed here and not installed: "
            f"run `pip install 'auralign[{extra}]'`"
        )


class NotConvergedError(AuralignError):
    """An estimate does not exist or was not reached; no plausible number is made up."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`" (did you mean 'beta'?)"` when a known word is near, else an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
