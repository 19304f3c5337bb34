"""From paths and study folders to clips, with the references and texts that belong to them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auralign.data import StudyFolder
from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.errors import DataError
from auralign.signals.running.plan import ClipFile
from auralign.types import Clip

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".w64")
"""What is taken of a folder; a file that is named may end otherwise."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str | None
    label: str | None


def clips_at(
    paths: Iterable[str | os.PathLike[str]],
    *,
    reference: str | os.PathLike[str] | None = None,
    text: str | os.PathLike[str] | None = None,
) -> list[ClipFile]:
    """The audio files that are named, and all in the folders that are named and below.

    reference   one recording for all clips, or a folder in which a clip's reference has the clip's
                path below its own folder, whatever its suffix
    text        a table (CSV, TSV, JSON Lines) with a column `clip` that holds a path, file name or
                stem, and a column `text`, `label` or both

    Raises DataError for a path that is not there, a folder without audio, and references or texts
    of which none belongs to a clip.
    """
    found = [each for path in paths for each in _files(Path(path))]
    clips = [ClipFile(str(file), file) for file, _ in found]
    if reference is not None:
        below = [file.relative_to(root) for file, root in found]
        clips = _with_references(clips, below, Path(reference))
    return clips if text is None else _with_texts(clips, Path(text))


def clips_of(study: StudyFolder) -> list[ClipFile]:
    """The clips of a study by their ids, with the texts and reference clips of their prompts.

    Raises DataError for a study without audio.
    """
    if not study.header.has_audio:
        raise DataError(f"{study.path} is a study without audio: there is nothing to measure")
    prompts = {prompt.id: prompt for prompt in study.prompts()}
    clips = {clip.id: clip for clip in study.clips()}
    return [
        ClipFile(
            name=clip.id,
            path=study.audio_path(clip),
            reference=_reference(study, clips, prompts[clip.prompt_id].reference_clip),
            text=prompts[clip.prompt_id].text or None,
            label=prompts[clip.prompt_id].condition,
        )
        for clip in clips.values()
    ]


def _reference(study: StudyFolder, clips: Mapping[str, Clip], name: str | None) -> Path | None:
    return study.audio_path(clips[name]) if name and name in clips else None


def _files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Files, and the folder that each was found in."""
    if path.is_file():
        yield path, path.parent
        return
    if not path.is_dir():
        raise DataError(f"{path}: expected audio, found nothing of that name: check the path")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    if not files:
        raise DataError(f"{path}: expected audio ({', '.join(SUFFIXES)}), found none in the folder")
    yield from ((file, path) for file in files)


def _with_references(
    clips: Sequence[ClipFile], below: Sequence[Path], reference: Path
) -> list[ClipFile]:
    if reference.is_file():
        return [replace(clip, reference=reference) for clip in clips]
    there = {file.relative_to(root).with_suffix(""): file for file, root in _files(reference)}
    paired = [
        replace(clip, reference=there.get(path.with_suffix("")))
        for clip, path in zip(clips, below, strict=True)
    ]
    if not any(clip.reference for clip in paired):
        raise DataError(
            f"{reference}: expected references with the names of clips, such as "
            f"{below[0].with_suffix('')}, found {next(iter(there))}"
        )
    return paired


def _with_texts(clips: Sequence[ClipFile], table: Path) -> list[ClipFile]:
    texts = dict(_texts(table))
    told = [_told(clip, texts) for clip in clips]
    if not any(clip.text or clip.label for clip in told):
        raise DataError(
            f"{table}: expected the names of clips in the column 'clip', such as "
            f"{clips[0].path.stem}, found {next(iter(texts), 'nothing')}"
        )
    return told


def _told(clip: ClipFile, texts: Mapping[str, _Text]) -> ClipFile:
    names = (clip.name, clip.path.name, clip.path.stem)
    known = next((texts[name] for name in names if name in texts), None)
    return replace(clip, text=known.text, label=known.label) if known else clip


def _texts(table: Path) -> Iterator[tuple[str, _Text]]:
    seen: set[str] = set()
    for row in read_text_rows(table):
        name = _named(row)
        if name in seen:
            raise row.error(f"'{name}' is there twice: keep one line of each clip")
        seen.add(name)
        yield name, _Text(row.values.get("text") or None, row.values.get("label") or None)


def _named(row: SourceRow) -> str:
    if "clip" not in row.values or {"text", "label"}.isdisjoint(row.values):
        there = ", ".join(row.values)
        raise row.error(f"expected the columns 'clip' and 'text' (or 'label'), found {there}")
    return str(row.values["clip"])
