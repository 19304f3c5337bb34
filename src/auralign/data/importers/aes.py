"""The human ratings released with audiobox-aesthetics (Tjandra et al. 2025, arXiv 2502.05139).

github.com/facebookresearch/audiobox-aesthetics, CC BY 4.0: JSON Lines without audio, one recording
a line with `data_path` and ten ratings from 0 to 10 on each of four axes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from auralign.data.importers.source_rows import SourceRow, read_json_lines, source_files
from auralign.data.study import StudyFolder
from auralign.errors import DataError
from auralign.types import Candidate, Clip, Judgement, Prompt, Source, TrialProtocol

AXES = {
    "Production_Quality": "production_quality",
    "Production_Complexity": "production_complexity",
    "Content_Enjoyment": "content_enjoyment",
    "Content_Usefulness": "content_usefulness",
}
"""Axis of the source -> dimension of the study.

Only production quality is one of auralign's own dimensions. Enjoyment and usefulness are neither
`overall` nor `task_achievement`: nobody was asked which clip is better or fits a prompt.
"""

DESCRIPTIVE = ("production_complexity",)
SYSTEMS_FILE = "AES_PAM.jsonl"
SCALE = (0.0, 10.0)

_NOTES = """\
Ratings from 0 to 10 released with audiobox-aesthetics (arXiv 2502.05139), CC BY 4.0, read from
{file}. The recordings are not part of the release, nor are the texts of the prompts.
Production complexity describes: more is not better. Content enjoyment and usefulness keep their
own names, because they are not auralign's 'overall' or 'task_achievement'.
Who rated is not known. The ten ratings of one recording come from ten people, of whom each gave one
rating on every axis, but the first rating of two recordings need not come from one person: every
recording therefore has raters of its own. Nothing can be said about single raters, and intervals
cannot allow for one person's taste in several recordings.
"""


@dataclass(frozen=True, slots=True)
class _Recording:
    """One line: where the recording was, and its ratings by axis, all lists of one length."""

    path: PurePosixPath
    ratings: dict[str, list[float]]

    @property
    def id(self) -> str:
        return str(self.path.with_suffix(""))

    @property
    def of_pam(self) -> bool:
        return self.path.parts[0] == "PAM" and len(self.path.parts) >= 4

    @property
    def system(self) -> str:
        """In PAM the folder is what made the recording; elsewhere the corpus stands for it."""
        return self.path.parent.name if self.of_pam else self.path.parts[0]

    @property
    def domain(self) -> str | None:
        """In PAM `audio` or `music`: what kind of sound was asked for."""
        return self.path.parent.parent.name if self.of_pam else None

    @property
    def prompt_id(self) -> str:
        """In PAM recordings of one name in one domain answer one prompt."""
        return f"{self.domain}/{self.path.stem}" if self.of_pam else self.id


def import_aes(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False
) -> StudyFolder:
    """A study at `out` of the ratings in one of the release's files.

    Of a folder, `AES_PAM.jsonl` is read: the file in which systems answered the same prompts. The
    other files hold single natural recordings; name one to import it, with its corpora as systems.
    Raises DataError that names the first broken line, StorageError when `out` is there already
    (`force` replaces a study).
    """
    file = source_files(path, SYSTEMS_FILE)[0]
    recordings = [_recording(row) for row in read_json_lines(file)]
    _check_different(recordings, file)
    prompts = {r.prompt_id: Prompt(r.prompt_id, "", condition=r.domain) for r in recordings}
    return StudyFolder.create_without_audio(
        out,
        name=file.stem,
        simulated=False,
        dimensions=tuple(AXES.values()),
        descriptive_dimensions=DESCRIPTIVE,
        notes=_NOTES.format(file=file.name),
        prompts=prompts.values(),
        clips=map(_clip, recordings),
        judgements=[judgement for r in recordings for judgement in _judgements(r)],
        force=force,
    )


def _recording(row: SourceRow) -> _Recording:
    path = row.values.get("data_path")
    if not isinstance(path, str) or not path.strip("/"):
        raise row.error(f"expected data_path as a path, got {path!r}")
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..", "your_path")]
    ratings = {axis: _ratings(row, axis) for axis in AXES}
    if len({len(values) for values in ratings.values()}) != 1:
        lengths = ", ".join(f"{axis} {len(values)}" for axis, values in ratings.items())
        raise row.error(f"expected as many ratings on each axis, got {lengths}")
    return _Recording(PurePosixPath(*parts), ratings)


def _ratings(row: SourceRow, axis: str) -> list[float]:
    values = row.values.get(axis)
    if not isinstance(values, list) or not values or not all(map(_is_rating, values)):
        raise row.error(f"expected {axis} as a list of ratings from 0 to 10, got {values!r:.80}")
    return [float(value) for value in values]


def _is_rating(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and SCALE[0] <= value <= SCALE[1]


def _check_different(recordings: list[_Recording], file: Path) -> None:
    if not recordings:
        raise DataError(f"{file}: expected one recording a line, got an empty file")
    seen = set()
    for line, recording in enumerate(recordings, start=1):
        if recording.id in seen:
            raise DataError(
                f"{file} record {line}: {recording.path} is there twice: keep one of them"
            )
        seen.add(recording.id)


def _clip(recording: _Recording) -> Clip:
    return Clip(
        id=recording.id,
        path=str(recording.path),
        sample_rate=0,
        channels=0,
        n_samples=0,
        prompt_id=recording.prompt_id,
        system=recording.system,
    )


def _judgements(recording: _Recording) -> Iterator[Judgement]:
    for axis, dimension in AXES.items():
        for k, rating in enumerate(recording.ratings[axis]):
            yield Judgement(
                trial=recording.id,
                protocol=TrialProtocol.RATING,
                dimension=dimension,
                prompt_id=recording.prompt_id,
                candidates=(Candidate(recording.id),),
                rater=f"{recording.id}#{k}",
                source=Source.HUMAN,
                rating=rating,
                scale=SCALE,
            )
