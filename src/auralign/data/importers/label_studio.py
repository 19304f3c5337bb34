"""Label Studio's JSON export: pairwise choices and star ratings of audio (labelstud.io/guide)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from auralign.data.importers.answers import (
    Answer,
    answers_study,
    finite,
    folder_and_stem,
    read_json_list,
)
from auralign.data.study import StudyFolder
from auralign.errors import ConfigError, DataError
from auralign.types import Outcome

SIDES = {"left": Outcome.A, "right": Outcome.B}

_NOTES = """\
Answers exported from Label Studio, read from {file}. A recording's folder is its system and its
name its prompt; cancelled annotations are left out. The name of a control is the dimension.
"""


def import_label_studio(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    fields: tuple[str, ...],
    max_rating: int = 5,
    force: bool = False,
) -> StudyFolder:
    """A study at `out` of the pairwise choices and ratings in a JSON export.

    `fields` names the task's data field with the recording, for pairs those of the left and the
    right one; ratings go from 1 to `max_rating`. Raises DataError that names the first broken task,
    StorageError when `out` is there already (`force` replaces a study).
    """
    if not 1 <= len(fields) <= 2 or max_rating < 2:
        raise ConfigError(f"expected one or two fields and a rating of 2 or more, got {fields}")
    path = Path(path)
    answers = [
        answer
        for number, task in enumerate(read_json_list(path))
        for answer in _of_task(task, f"{path} task {number}", fields, max_rating)
    ]
    return answers_study(answers, path, out, notes=_NOTES.format(file=path.name), force=force)


def _of_task(task: Any, place: str, fields: tuple[str, ...], max_rating: int) -> Iterator[Answer]:
    if not isinstance(task, Mapping) or not isinstance(task.get("data"), Mapping):
        raise DataError(f"{place}: expected a task with data and annotations, got something else")
    names = [task["data"].get(field) for field in fields]
    if not all(isinstance(name, str) and name for name in names):
        there = ", ".join(task["data"])
        raise DataError(f"{place}: expected recordings in {', '.join(fields)}; it has {there}")
    clips = [folder_and_stem(str(name)) for name in names]
    for annotation in task.get("annotations", []):
        if not annotation.get("was_cancelled"):
            yield from _of_annotation(annotation, str(task.get("id", place)), clips, max_rating)


def _of_annotation(
    annotation: Mapping[str, Any], trial: str, clips: list[tuple[str, str]], max_rating: int
) -> Iterator[Answer]:
    answer = Answer(
        trial=trial,
        rater=f"annotator-{annotation.get('completed_by', 'unknown')}",
        prompt=clips[0][1],
        systems=tuple(system for system, _ in clips),
        time_s=finite(annotation.get("lead_time")),
    )
    for region in annotation.get("result", []):
        value, name = region.get("value", {}), str(region.get("from_name", "overall"))
        if region.get("type") == "pairwise" and len(clips) == 2:
            outcome = SIDES.get(value.get("selected"), Outcome.SKIP)
            yield replace(answer, dimension=name, outcome=outcome)
        elif region.get("type") == "rating" and len(clips) == 1:
            rating, scale = finite(value.get("rating")), (1.0, float(max_rating))
            if rating is None or not scale[0] <= rating <= scale[1]:
                raise DataError(f"task {trial}: expected a rating from 1 to {max_rating}")
            yield replace(answer, dimension=name, rating=rating, scale=scale)
