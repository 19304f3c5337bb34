"""Responses of GoListen as JSON (github.com/QxLabIreland/listening-test).

A response is one listener: `items`, of which those of type 2 are trials with `example.audios`, each
with a `filename` and, in ACR and MUSHRA tests, the `value` that it was given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
from auralign.errors import DataError

TRIAL = 2

_NOTES = """\
Ratings exported from GoListen, read from {file}. A trial's title is its prompt and a recording's
file name its system. Names that listeners gave are left behind.
"""


def import_golisten(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    scale: tuple[float, float],
    force: bool = False,
) -> StudyFolder:
    """A study at `out` of the ratings in a JSON list of GoListen's responses, ACR or MUSHRA.

    `scale` has the ends of the scale, which a response does not say. Raises DataError that names
    the first broken response, StorageError when `out` is there already (`force` replaces a study).
    """
    path = Path(path)
    answers = [
        answer
        for number, response in enumerate(read_json_list(path), 1)
        for answer in _of_response(response, number, scale, path)
    ]
    return answers_study(answers, path, out, notes=_NOTES.format(file=path.name), force=force)


def _of_response(
    response: Any, number: int, scale: tuple[float, float], path: Path
) -> Iterator[Answer]:
    place = f"{path} response {number}"
    if not isinstance(response, Mapping) or not isinstance(response.get("items"), list):
        raise DataError(f"{place}: expected a response with items, got something else")
    trials = [item for item in response["items"] if item.get("type") == TRIAL]
    for i, item in enumerate(trials):
        prompt = str(item.get("title") or f"trial {i + 1}")
        for audio in item.get("example", {}).get("audios", []):
            yield _answer(audio, prompt, number, finite(item.get("time")), scale, place)


def _answer(
    audio: Mapping[str, Any],
    prompt: str,
    number: int,
    time_s: float | None,
    scale: tuple[float, float],
    place: str,
) -> Answer:
    rating, system = finite(audio.get("value")), folder_and_stem(str(audio.get("filename")))[1]
    if rating is None or not scale[0] <= rating <= scale[1]:
        raise DataError(
            f"{place}: expected '{prompt}' / '{system}' to have a value from {scale[0]:g} to "
            f"{scale[1]:g}, got {audio.get('value')!r}"
        )
    return Answer(
        trial=f"{prompt}/{system}",
        rater=f"listener-{number:04d}",
        prompt=prompt,
        systems=(system,),
        rating=rating,
        scale=scale,
        time_s=time_s,
    )
