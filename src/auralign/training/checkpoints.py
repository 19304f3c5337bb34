"""Checkpoints: everything that a stopped run needs to go on as if it had not been stopped.

One file, replaced atomically, so that there is always a whole one. Its key says what was trained on
what and how; a checkpoint of another key is an error, because its weights would go on under other
settings without a word.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auralign.data.examples import Example
from auralign.errors import RunStateError
from auralign.files import write_bytes

FORMAT = 1


_FOREIGN = (
    OSError, RuntimeError, LookupError, TypeError, EOFError, pickle.UnpicklingError, struct.error
)  # fmt: skip
"""What torch and we raise at files that `save_checkpoint` did not write."""


@dataclass(slots=True)
class TrainingState:
    """Where a run stands after `step` updates.

    kept_step      the update after which the kept weights stood, and `kept_weights`
    evaluations    what was measured, in order
    n_worse        evaluations since the best one
    stopped        why training has ended early, or None
    """

    step: int = 0
    evaluations: list[dict[str, float]] = field(default_factory=list)
    kept_step: int = 0
    kept_weights: dict[str, Tensor] = field(default_factory=dict)
    n_worse: int = 0
    stopped: str | None = None


def save_checkpoint(
    path: Path,
    key: Mapping[str, str],
    state: TrainingState,
    *,
    weights: Mapping[str, Tensor],
    optimiser: Mapping[str, Any],
    task: Mapping[str, Any],
    reference: Mapping[str, Tensor] | None,
) -> None:
    """Raises StorageError when the disk refuses; the checkpoint before is then still there."""
    parts = {
        "format": FORMAT,
        "key": dict(key),
        "state": {name: getattr(state, name) for name in TrainingState.__slots__},
        "weights": dict(weights),
        "optimiser": dict(optimiser),
        "task": dict(task),
        "reference": None if reference is None else dict(reference),
    }
    stream = io.BytesIO()
    torch.save(parts, stream)
    write_bytes(path, stream.getvalue())


def load_checkpoint(path: Path, key: Mapping[str, str]) -> dict[str, Any] | None:
    """What `save_checkpoint` was given, or None where there is no file.

    Raises RunStateError for a file of something else, a checkpoint of another format (a version of
    auralign that writes them differently), and one of another key.
    """
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True)
        _require_format(parts["format"], path)
        stored = dict(parts["key"])
        parts["state"] = TrainingState(**parts["state"])
    except FileNotFoundError:
        return None
    except _FOREIGN:
        raise RunStateError(
            f"{path}: expected a checkpoint of this training, got another file: start over with "
            "--force, or choose another --out"
        ) from None
    differing = [name for name in key if stored.get(name) != key[name]]
    if differing:
        raise RunStateError(
            f"{path}: expected a checkpoint of this training, but it is of another "
            f"{', '.join(differing)}: restore what it was, or start over with --force"
        )
    found: dict[str, Any] = parts
    return found


def _require_format(found: int, path: Path) -> None:
    if found != FORMAT:
        raise RunStateError(
            f"{path}: expected a checkpoint of format {FORMAT}, got one of format {found}, which "
            "another version of auralign wrote: go on with that version, or start over with --force"
        )


def examples_hash(examples: Sequence[Example]) -> str:
    """SHA-256 over the examples, in their order."""
    digest = hashlib.sha256()
    _feed(digest, list(examples))
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, value: Any) -> None:
    """Every value with its kind, so that no two sequences of values look alike."""
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(f"list {len(value)} ".encode())
        for item in value:
            _feed(digest, item)
    elif is_dataclass(value):
        for name in value.__dataclass_fields__:
            _feed(digest, getattr(value, name))
    else:
        digest.update(f"{type(value).__name__} {value!r} ".encode())
