"""The judgements of a study as one flat table that every tool reads."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auralign.data.study import StudyFolder
from auralign.errors import DataError, StorageError
from auralign.files import write_text
from auralign.types import Clip, Judgement, TrialProtocol

EXPORTED = (TrialProtocol.PAIR, TrialProtocol.RATING)


def export_csv(
    study: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    protocol: TrialProtocol | None = None,
    force: bool = False,
) -> int:
    """Write the study's comparisons or ratings to the CSV file `out`; returns the number of rows.

    The columns are those that `import_votes` reads; skipped ratings are left out. `protocol` says
    which to write where a study has both. Raises DataError when there is nothing to write or it is
    not clear what, StorageError when `out` is there already and not `force`.
    """
    folder = StudyFolder.open(study)
    judgements = folder.judgements()
    chosen = protocol or _only_protocol(judgements, folder.path)
    clips = {clip.id: clip for clip in folder.clips()}
    rows = [_row(j, clips) for j in judgements if j.protocol is chosen and _is_answer(j)]
    if not rows:
        raise DataError(f"{folder.path}: expected {chosen.value} judgements to export, found none")
    if Path(out).exists() and not force:
        raise StorageError(f"{out} is there already; choose another name or use --force")
    write_text(out, _as_csv(rows))
    return len(rows)


def _only_protocol(judgements: list[Judgement], where: Path) -> TrialProtocol:
    there = {j.protocol for j in judgements}.intersection(EXPORTED)
    if len(there) != 1:
        raise DataError(
            f"{where}: expected comparisons or ratings to export, found "
            f"{'both: name one with --protocol' if there else 'neither'}"
        )
    return there.pop()


def _is_answer(judgement: Judgement) -> bool:
    return judgement.protocol is TrialProtocol.PAIR or judgement.rating is not None


def _row(judgement: Judgement, clips: Mapping[str, Clip]) -> dict[str, Any]:
    j = judgement
    shown = [clips[candidate.clip_id] for candidate in j.candidates]
    row: dict[str, Any] = {"trial": j.trial, "dimension": j.dimension, "prompt": j.prompt_id}
    if j.protocol is TrialProtocol.PAIR:
        first, second = shown
        row |= {"first": first.system, "second": second.system}
        row |= {"first_clip": first.id, "second_clip": second.id, "winner": j.outcome}
    else:
        low, high = j.scale or (None, None)
        row |= {"system": shown[0].system, "clip": shown[0].id}
        row |= {"rating": j.rating, "scale_low": low, "scale_high": high}
    when = {"strength": j.strength, "time_to_answer_s": j.time_to_answer_s}
    return {**row, "rater": j.rater, "source": j.source, **when}


def _as_csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
