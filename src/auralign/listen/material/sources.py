"""Which recordings a test is about: a folder for each system, a table, or a study folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from auralign.data import StudyFolder
from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.errors import DataError
from auralign.listen.settings import Clips

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of one system for one prompt."""

    file: Path
    prompt_id: str
    system: str
    text: str = ""


def find_recordings(folder: Path, clips: Clips) -> list[Recording]:
    """The recordings that `clips.path` names, relative to the test's folder.

    Raises DataError, naming the place, for paths that lead out of it, for files that are not there
    or too large, and for a system with two recordings of one prompt.
    """
    path = folder / clips.path
    if path.suffix.lower() in (".csv", ".tsv"):
        found = list(_of_table(path))
    elif (path / "study.yaml").is_file():
        found = list(_of_study(path))
    else:
        found = list(_of_folder(path))
    _check_number(found, path, clips.max_clips)
    for recording in found:
        _check_file(recording.file, clips.max_file_mb)
    _check_once(found)
    return found


def _of_folder(path: Path) -> Iterator[Recording]:
    systems = sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []
    for system in systems:
        for file in sorted(system.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                yield Recording(_within(path, f"{system.name}/{file.name}"), file.stem, system.name)


def _of_table(path: Path) -> Iterator[Recording]:
    for row in read_text_rows(path):
        values = {name: _required(row, name) for name in ("prompt", "system", "file")}
        try:
            file = _within(path.parent, values["file"])
        except DataError as error:
            raise row.error(str(error)) from None
        yield Recording(file, values["prompt"], values["system"], row.values.get("text", ""))


def _of_study(path: Path) -> Iterator[Recording]:
    study = StudyFolder.open(path)
    texts = {prompt.id: prompt.text for prompt in study.prompts()}
    for clip in study.clips():
        file = study.audio_path(clip)
        yield Recording(file, clip.prompt_id, clip.system, texts.get(clip.prompt_id, ""))


def _required(row: SourceRow, name: str) -> str:
    value = row.values.get(name)
    if not value:
        raise row.error(f"'{name}' is empty: every clip needs a prompt, a system and a file")
    return str(value)


def _within(folder: Path, name: str) -> Path:
    """The file below `folder`; DataError for whatever leads elsewhere, symbolic links included."""
    parts = PurePosixPath(name).parts
    if "\0" in name or "\\" in name or ".." in parts or PurePosixPath(name).is_absolute():
        raise DataError(f"expected a path within {folder}, got {name!r}: copy the file there")
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{file} leads out of {folder}: copy the file there in place of a link")
    return file


def _check_number(found: list[Recording], path: Path, most: int) -> None:
    if not found:
        raise DataError(
            f"{path}: expected a folder with one folder of clips for each system, a table of "
            "clips or a study folder, found no clip: see clips.path in test.yaml"
        )
    if len(found) > most:
        raise DataError(f"{path}: expected at most {most} clips (clips.max_clips), got more")


def _check_file(file: Path, max_file_mb: float) -> None:
    if not file.is_file():
        raise DataError(f"{file}: expected an audio file, but there is none: check the path")
    size_mb = file.stat().st_size / 1e6
    if size_mb > max_file_mb:
        raise DataError(
            f"{file}: expected at most {max_file_mb:g} MB (clips.max_file_mb), got {size_mb:.0f} MB"
        )


def _check_once(found: list[Recording]) -> None:
    seen = set()
    for recording in found:
        key = (recording.prompt_id, recording.system)
        if key in seen:
            raise DataError(
                f"{recording.file}: system '{recording.system}' has a second clip of prompt "
                f"'{recording.prompt_id}': keep one of them"
            )
        seen.add(key)
