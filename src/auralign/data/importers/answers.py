"""Answers of other listening-test tools, before they are a study: what their readers share."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from auralign.data.study import StudyFolder
from auralign.errors import DataError
from auralign.types import Candidate, Clip, Judgement, Outcome, Prompt, Source, TrialProtocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a listener said of one clip (a rating on its scale) or of two (an outcome)."""

    trial: str
    rater: str
    prompt: str
    systems: tuple[str, ...]
    dimension: str = "overall"
    rating: float | None = None
    scale: tuple[float, float] | None = None
    outcome: Outcome | None = None
    time_s: float | None = None
    context: Mapping[str, str] = field(default_factory=dict)


def answers_study(
    answers: Sequence[Answer],
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    notes: str,
    force: bool,
) -> StudyFolder:
    """A study at `out` of people's answers about clips that are known by prompt and system.

    Raises DataError when there is no answer, StorageError when `out` is there already.
    """
    if not answers:
        raise DataError(f"{source}: expected answers of listeners, found none")
    keys = dict.fromkeys((a.prompt, system) for a in answers for system in a.systems)
    return StudyFolder.create_without_audio(
        out,
        name=Path(source).stem,
        simulated=False,
        dimensions=tuple(dict.fromkeys(answer.dimension for answer in answers)),
        notes=notes,
        prompts=[Prompt(prompt, "") for prompt in dict.fromkeys(key[0] for key in keys)],
        clips=[_clip(prompt, system) for prompt, system in keys],
        judgements=map(_judgement, answers),
        force=force,
    )


def finite(value: object) -> float | None:
    """The number that a cell or a JSON value holds; None for anything else."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def read_json_list(path: Path) -> list[Any]:
    """The list in a JSON file; DataError when it holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a JSON file, got '{error}': export it again") from None
    if not isinstance(value, list):
        raise DataError(f"{path}: expected a JSON list, got a {type(value).__name__}")
    return value


def folder_and_stem(name: str) -> tuple[str, str]:
    """System and prompt of a file or address: its folder and its name without suffix."""
    path = PurePosixPath(name.split("?")[0].replace("\\", "/"))
    return path.parent.name or "all", path.stem


def number_raters(keys: Iterable[str]) -> dict[str, str]:
    """Names in the order in which raters come, in the place of what may tell who they are."""
    return {key: f"listener-{i:04d}" for i, key in enumerate(dict.fromkeys(keys), 1)}


def _clip(prompt: str, system: str) -> Clip:
    name = _clip_name(prompt, system)
    return Clip(name, name, 0, 0, 0, prompt_id=prompt, system=system)


def _clip_name(prompt: str, system: str) -> str:
    return f"{system}/{prompt}"


def _judgement(answer: Answer) -> Judgement:
    pair = len(answer.systems) > 1
    return Judgement(
        trial=answer.trial,
        protocol=TrialProtocol.PAIR if pair else TrialProtocol.RATING,
        dimension=answer.dimension,
        prompt_id=answer.prompt,
        candidates=tuple(Candidate(_clip_name(answer.prompt, s)) for s in answer.systems),
        rater=answer.rater,
        source=Source.HUMAN,
        outcome=answer.outcome,
        rating=answer.rating,
        scale=answer.scale,
        time_to_answer_s=answer.time_s,
        context=answer.context,
    )
