"""Recordings to degrade, read from a file, a folder of files or a study folder.

metadata.csv     in a folder: `file_name`, and where known `text`, `split`, and attributes such as
                 `speaker`, `sex`, `emotion` and `genre`
events.csv       in a folder of mixes: `mix`, `file_name`, `label`, `onset_s`; one row an event
NAME.words.txt   beside NAME.wav, and so .bars.txt, .beats.txt and .events.txt: label tracks of
                 Audacity, a line of begin, end [s] and label with tabs between them
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auralign.audio import read_audio
from auralign.audio.degrade import Event, Span, events_of, mix_events
from auralign.data import StudyFolder
from auralign.data.tables import to_enum
from auralign.errors import DataError
from auralign.preferences.ladders.recording import Recording
from auralign.types import Prompt, Split

SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")

Row = Mapping[str, str]


def read_recordings(path: str | os.PathLike[str]) -> list[Recording]:
    """The recordings at `path`, in the order of their names.

    Raises DataError when there is none, or a table or label track cannot be understood.
    """
    path = Path(path)
    if path.is_file():
        return [_recording(path, path.stem, {})]
    if (path / "study.yaml").is_file():
        recordings = _of_study(StudyFolder.open(path))
    elif (path / "events.csv").is_file():
        recordings = _mixes(path)
    else:
        recordings = _files(path)
    if not recordings:
        raise DataError(
            f"{path}: expected an audio file, a folder with {', '.join(SUFFIXES)} files or a study "
            "folder, but found no recording there: check the path"
        )
    return recordings


def _of_study(study: StudyFolder) -> list[Recording]:
    """Every clip under a prompt of its own, as a ladder has one source."""
    prompts = {prompt.id: prompt for prompt in study.prompts()}
    recordings = []
    for clip in sorted(study.clips(), key=lambda clip: (clip.prompt_id, clip.id)):
        prompt = prompts[clip.prompt_id]
        speaker = {"speaker": prompt.condition} if prompt.condition else {}
        own = replace(prompt, id=f"{prompt.id}/{clip.id[:12]}", reference_clip=None)
        recordings.append(Recording(own, study.audio_path(clip), attributes=speaker))
    return recordings


def _files(folder: Path) -> list[Recording]:
    table = folder / "metadata.csv"
    if table.is_file():
        rows = _rows(table, ("file_name",))
        return [_recording(folder / row["file_name"], _name(row["file_name"]), row) for row in rows]
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    return [_recording(file, _name(file.relative_to(folder)), {}) for file in files]


def _name(file: str | Path) -> str:
    return Path(file).with_suffix("").as_posix()


def _recording(path: Path, name: str, row: Row) -> Recording:
    known = {key: value for key, value in row.items() if value}
    events = _labels(path, "events")
    prompt = Prompt(
        id=name,
        text=known.pop("text", _in_sequence(span.label for span in events)),
        condition=known.get("speaker"),
        split=to_enum(Split, known.pop("split", "train"), "split"),
    )
    return Recording(
        prompt,
        path,
        words=_labels(path, "words"),
        bars=_labels(path, "bars"),
        beats_s=tuple(span.begin_s for span in _labels(path, "beats")),
        events=events_of(read_audio(path), events) if events else (),
        attributes={key: value for key, value in known.items() if key != "file_name"},
    )


def _labels(path: Path, kind: str) -> tuple[Span, ...]:
    track = path.with_suffix(f".{kind}.txt")
    if not track.is_file():
        return ()
    lines = track.read_text(encoding="utf-8").splitlines()
    # Audacity writes a second line, which begins with a backslash, below a label with frequencies.
    spans = [_span(line, f"{track} line {i}") for i, line in enumerate(lines, 1) if _says(line)]
    return tuple(sorted(spans, key=lambda span: span.begin_s))


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("\\")


def _span(line: str, where: str) -> Span:
    fields = line.split("\t")
    try:
        begin_s, end_s = float(fields[0]), float(fields[1])
    except (IndexError, ValueError):
        raise DataError(
            f"{where}: expected begin and end in seconds and a label with tabs between them, got "
            f"'{line}'"
        ) from None
    return Span(fields[2].strip() if len(fields) > 2 else "", begin_s, end_s)


def _mixes(folder: Path) -> list[Recording]:
    by_mix: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder / "events.csv", ("mix", "file_name", "label", "onset_s")):
        by_mix[row["mix"]].append(row)
    return [_mix(folder, name, rows) for name, rows in sorted(by_mix.items())]


def _mix(folder: Path, name: str, rows: Sequence[Row]) -> Recording:
    events = sorted((_event(folder, row) for row in rows), key=lambda event: event.onset_s)
    prompt = Prompt(name, _in_sequence(event.label for event in events))
    return Recording(prompt, mix_events(events), events=tuple(events))


def _in_sequence(labels: Iterable[str]) -> str:
    return ", then ".join(labels)


def _event(folder: Path, row: Row) -> Event:
    try:
        onset_s = float(row["onset_s"])
    except ValueError:
        raise DataError(
            f"{folder / 'events.csv'}: expected an onset in seconds, got '{row['onset_s']}' for "
            f"'{row['label']}'"
        ) from None
    return Event(row["label"], read_audio(folder / row["file_name"]), onset_s)


def _rows(table: Path, needed: Iterable[str]) -> list[Row]:
    with table.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{table}: expected the columns {', '.join(needed)}, but {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing"
            )
        return [{key: (row[key] or "").strip() for key in row if key} for row in reader]
