"""The table of all families of degradations."""

from __future__ import annotations

from collections.abc import Sequence

from auralign.errors import ConfigError, did_you_mean
from auralign.preferences.ladders import acoustic, content, delivery, takes
from auralign.preferences.ladders.operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.id: operation
    for module in (acoustic, delivery, content, takes)
    for operation in module.OPERATIONS
}
"""By id, which is `family/name`."""

FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(o.family for o in OPERATIONS.values()))


def operations(names: Sequence[str]) -> tuple[Operation, ...]:
    """Of families and of ids of single operations, in the order of the table.

    Raises ConfigError for a name that is neither.
    """
    known = (*FAMILIES, *OPERATIONS)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"'{name}' is no family of degradations{did_you_mean(name, known)}: "
                f"choose from {', '.join(FAMILIES)}"
            )
    chosen = [o for o in OPERATIONS.values() if o.family in names or o.id in names]
    return tuple(chosen)
