"""Scores on disk: JSON Lines that a run goes on with after it was killed.

The first line says what the file is; every other line is what one signal says about one clip and is
written at once, so that a kill can tear the last line only. A torn line is cut off when the file is
opened again, and its clip and signal are asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from auralign import __version__
from auralign.errors import DataError, RunStateError, StorageError
from auralign.files import write_bytes
from auralign.types import Score, ScoreStatus

SCHEMA = "auralign.scores"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What one signal says about one clip.

    clip         the name that the clip was given by: a path, or its id in a study
    clip_id      the hash of its samples, or None where it could not be decoded
    sample_rate  of the file [Hz], before it was resampled for the signal; so is `duration_s`
    options      those that were given; the others have the defaults of `version`
    seconds      what asking took; 0 for an answer from the gate or the cache
    licence      of the code or weights, where it is not a permissive one
    scores       one for each measure, in order
    given        what came along with the clip: the path of the reference, the text, the label
    """

    clip: str
    clip_id: str | None
    sample_rate: int | None
    duration_s: float | None
    signal: str
    version: int
    options: Mapping[str, Any]
    seconds: float
    licence: str | None
    scores: tuple[Score, ...]
    given: Mapping[str, str] = field(default_factory=dict)


def to_line(row: Row) -> bytes:
    """The row as one line of strict JSON, with its newline."""
    values = {s.signal: {"value": s.value, "status": status_text(s)} for s in row.scores}
    document: dict[str, Any] = {
        "clip": row.clip,
        "clip_id": row.clip_id,
        "sample_rate": row.sample_rate,
        "duration_s": row.duration_s,
        "signal": row.signal,
        "version": row.version,
        "options": dict(row.options),
        "seconds": round(row.seconds, 6),
        **({"licence": row.licence} if row.licence else {}),
        **({"given": dict(row.given)} if row.given else {}),
        "scores": values,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Row:
    """The row of one line; ValueError, KeyError or TypeError when it is none."""
    document = json.loads(line)
    values = document.pop("scores")
    clip_id = document["clip_id"]
    scores = [_score(clip_id or document["clip"], name, each) for name, each in values.items()]
    return Row(**{"licence": None, **document}, scores=tuple(scores))


def status_text(score: Score) -> str:
    """`ok`, `skipped:<reason>` or `failed:<reason>`."""
    return str(score.status) if score.status is ScoreStatus.OK else f"{score.status}:{score.reason}"


def _score(clip_id: str, name: str, written: Mapping[str, Any]) -> Score:
    status, _, reason = written["status"].partition(":")
    value = written["value"]
    if (value is None) == (status == ScoreStatus.OK):
        raise ValueError(f"{name} has the value {value} and the status '{status}'")
    return Score(clip_id, name, value, ScoreStatus(status), reason)


def read_results(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows of a file of results, one after the other; a torn last line is passed over.

    Raises DataError when the file is not there, is something else, or names its first broken line.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    with stream:
        _check_header(path, stream.readline())
        for number, line in enumerate(stream, start=2):
            if line.endswith(b"\n"):
                yield _parsed(path, number, line)


def _parsed(path: Path, number: int, line: bytes) -> Row:
    try:
        return from_line(line)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} line {number}: expected what a signal says about a clip, got something else "
            f"({type(error).__name__}: {error}): remove the line to have it measured again"
        ) from None


def _header() -> bytes:
    header = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "auralign": __version__}
    return json.dumps(header).encode() + b"\n"


def _check_header(path: Path, line: bytes) -> None:
    try:
        header = json.loads(line)
        schema, version = header["schema"], header["schema_version"]
    except (ValueError, KeyError, TypeError):
        schema, version = None, 0
    if schema != SCHEMA:
        raise DataError(
            f"{path}: expected results of `auralign score`, got another file: "
            "choose another name, or use --force to replace it"
        )
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{path}: expected schema version {SCHEMA_VERSION} or older, got {version}: "
            "upgrade auralign to read it"
        )


@dataclass(slots=True)
class ResultsFile:
    """A file of results that is being written; use it as a context.

    done        clip -> the signals that have answered about it
    clip_ids    clip -> the hash of its samples when they did
    """

    path: Path
    done: dict[str, set[str]] = field(default_factory=dict)
    clip_ids: dict[str, str | None] = field(default_factory=dict)
    _stream: BinaryIO | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        asked: Mapping[str, tuple[int, Mapping[str, Any]]],
        given: Mapping[str, Mapping[str, str]],
        *,
        force: bool = False,
    ) -> ResultsFile:
        """The file at `path`, to go on with if it is there, or a new one.

        asked   signal -> its version and the options it is asked with
        given   clip -> what comes along with it now, as in `Row.given`

        Raises DataError when what is there are no results, RunStateError when it holds answers of
        a signal in another version or with other options, or about a clip with another reference,
        text or label; `force` replaces it instead.
        """
        path = Path(path)
        if force or not path.exists() or not _has_content(path):
            write_bytes(path, _header())
            return cls(path)
        with path.open("rb") as stream:
            _check_header(path, stream.readline())
        repair(path)
        results = cls(path)
        for row in read_results(path):
            _check_fits(path, row, asked, given)
            results.done.setdefault(row.clip, set()).add(row.signal)
            results.clip_ids[row.clip] = row.clip_id
        return results

    def __enter__(self) -> ResultsFile:
        self._stream = self.path.open("ab")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._stream is not None
        self._stream.close()

    def append(self, rows: Iterable[Row]) -> None:
        """Write the rows so that they outlive this process; StorageError when the disk refuses."""
        assert self._stream is not None, "results are written within the context"
        try:
            self._stream.write(b"".join(map(to_line, rows)))
            self._stream.flush()
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}") from error


def repair(path: Path) -> int:
    """Cut a torn last line off; the number of bytes that went."""
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        kept = _end_of_last_line(stream, size)
        stream.truncate(kept)
    return size - kept


def _end_of_last_line(stream: BinaryIO, size: int) -> int:
    step, end = 65_536, size
    while end > 0:
        begin = max(end - step, 0)
        stream.seek(begin)
        place = stream.read(end - begin).rfind(b"\n")
        if place >= 0:
            return begin + place + 1
        end = begin
    return 0


def _has_content(path: Path) -> bool:
    """False for a file that was killed while it wrote its first line."""
    with path.open("rb") as stream:
        head = stream.read(len(_header()))
    return not _header().startswith(head) or head == _header()


def _check_fits(
    path: Path,
    row: Row,
    asked: Mapping[str, tuple[int, Mapping[str, Any]]],
    given: Mapping[str, Mapping[str, str]],
) -> None:
    if row.signal not in asked:
        return
    version, options = asked[row.signal]
    if row.version != version or dict(row.options) != dict(options):
        was = f"version {row.version} with the options {dict(row.options)}"
        raise _misfit(path, row, f"in {was}", f"in version {version} with {dict(options)}")
    if dict(row.given) != dict(given.get(row.clip, row.given)):
        was = f"about '{row.clip}' with {dict(row.given)}"
        raise _misfit(path, row, was, f"with {dict(given[row.clip])}")


def _misfit(path: Path, row: Row, was: str, now: str) -> RunStateError:
    return RunStateError(
        f"{path} holds answers of '{row.signal}' {was}, not {now}: choose another --out, or use "
        "--force to replace the file"
    )
