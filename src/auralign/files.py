"""Files are written aside and renamed: whoever opens one sees the old or the new, never a half."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auralign.errors import AuralignError, DataError, StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run again",
    errno.EDQUOT: "your disk quota is used up; free some space and run again",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "there is no permission to write there; choose another folder",
    errno.EPERM: "there is no permission to write there; choose another folder",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another folder",
    errno.EISDIR: "a folder has this name; choose another name",
}
_ONLY_WRITING_MEETS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` aside in the same folder (made if needed), flush it to disk and rename it.

    Raises StorageError when the disk refuses; then nothing is left behind and an earlier file of
    that name is as it was.
    """
    path = Path(path)
    aside = _aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise _refusal(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """`write_bytes` of `text` in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """`write_bytes` of `to_json(value)`, indented, with a final newline."""
    write_text(path, to_json(value, indent=2) + "\n")


@contextlib.contextmanager
def atomic_dir(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """A new folder beside `path` to build in, renamed to `path` on success, removed on failure.

    Raises StorageError when `path` is there already (an empty folder is taken over, and with
    `replace` any folder) or when the disk refuses.
    """
    path = Path(path)
    if not replace and path.exists() and not is_empty_dir(path):
        raise StorageError(f"{path} is there already; choose another name or move it away")
    aside = _aside(path)
    try:
        try:
            aside.mkdir(parents=True)
        except OSError as error:
            raise _refusal(error, path) from error
        yield aside
        _move_over(aside, path)
    except OSError as error:
        # The body may also fail to read something, which is not for us to explain.
        if error.errno in _ONLY_WRITING_MEETS:
            raise _refusal(error, path) from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """Whatever the body meets while it takes a file apart is a DataError that names the file.

    `expected` says what should have been there, such as "a codec written by KMeansCodec.save".
    """
    try:
        yield
    except AuralignError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected {expected}, but there is no such file") from error
    except Exception as error:
        raise DataError(
            f"{path}: expected {expected}, got something else or a damaged file "
            f"({type(error).__name__}: {error}): write it again"
        ) from error


def is_empty_dir(path: Path) -> bool:
    """True for a folder without anything in it."""
    return path.is_dir() and not any(path.iterdir())


def to_json(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Strict JSON of plain data, records, models, numpy numbers and arrays, and paths.

    NaN and the infinities become null, because JSON has no word for them.
    """
    return json.dumps(
        _plain(value), indent=indent, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):  # pydantic, without importing it
        return value.model_dump(mode="json")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # numpy, without importing it
        return _plain(value.tolist())
    raise TypeError(f"no JSON for {type(value).__name__}")


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def _move_over(new: Path, path: Path) -> None:
    """Rename the folder `new` to `path`; what was there is removed only after that worked."""
    old = _aside(path)
    try:
        if path.exists():
            os.replace(path, old)
        os.replace(new, path)
    except OSError as error:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise _refusal(error, path) from error
    shutil.rmtree(old, ignore_errors=True)


def _refusal(error: OSError, path: Path) -> StorageError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"cannot write {path}: {reason}")
