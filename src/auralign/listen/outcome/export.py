"""The study folder of a test: what statistics and preference learning read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auralign.data import JUDGEMENTS, StudyFolder
from auralign.errors import StorageError
from auralign.files import atomic_dir, is_empty_dir, to_json, write_text
from auralign.listen.material.prepared import HEADPHONES
from auralign.listen.outcome.csv_text import to_csv
from auralign.listen.outcome.records import judgements, pseudonyms
from auralign.listen.store.tables import PlatformIdRow, VerdictRow
from auralign.listen.study import ListenStudy
from auralign.types import Clip, Judgement

PRIVATE = "private"
"""The folder with what may tell who a listener is; it is in the private form only."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    out: Path
    listeners: int
    judgements: int
    private: bool


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """Everything that is exported, read from one state of the database."""

    judgements: list[Judgement]
    verdicts: list[dict[str, Any]]
    platform_ids: list[dict[str, Any]]


def export_study(
    study: ListenStudy,
    out: str | os.PathLike[str],
    *,
    private: bool = False,
    force: bool = False,
) -> Exported:
    """Write the study folder `out`, with `judgements.jsonl`, `judgements.csv` and `screening.csv`.

    The public form has pseudonyms, and no text that listeners wrote. The private one has their text
    and, in a folder of its own, their platform ids. Twice the same state gives the same bytes.
    Raises StorageError when `out` is there already (`force` replaces a study).
    """
    out = Path(out)
    if force and out.exists() and not is_empty_dir(out) and not (out / "study.yaml").is_file():
        raise StorageError(f"{out} is not a study folder, so it is not replaced; choose another")
    found = study.database.read(lambda db: _read(db, study, private))
    with atomic_dir(out, replace=force) as aside:
        _write_study(study, aside, found.judgements)
        rows = [JUDGEMENTS.to_row(judgement) for judgement in found.judgements]
        write_text(aside / "judgements.jsonl", "".join(to_json(row) + "\n" for row in rows))
        write_text(aside / "judgements.csv", to_csv([_flat(row) for row in rows]))
        write_text(aside / "screening.csv", to_csv(found.verdicts))
        if private:
            write_text(aside / PRIVATE / "platform_ids.csv", to_csv(found.platform_ids))
    listeners = len({judgement.rater for judgement in found.judgements})
    return Exported(out, listeners, len(found.judgements), private)


def _read(db: Session, study: ListenStudy, private: bool) -> _Snapshot:
    raters = pseudonyms(db, study)
    query = select(VerdictRow).order_by(VerdictRow.session_id, VerdictRow.rule)
    verdicts = [
        {"rater": raters[row.session_id], "rule": row.rule, "version": row.version}
        | {"passed": row.passed, "detail": row.detail}
        for row in db.execute(query).scalars()
    ]
    ids = select(PlatformIdRow).order_by(PlatformIdRow.session_id)
    platform_ids = [
        {"rater": raters[row.session_id], "ids": to_json(row.ids)}
        for row in db.execute(ids).scalars()
        if private
    ]
    return _Snapshot(
        judgements=list(judgements(db, study, with_text=private)),
        verdicts=sorted(verdicts, key=lambda row: (row["rater"], row["rule"])),
        platform_ids=sorted(platform_ids, key=lambda row: row["rater"]),
    )


def _write_study(study: ListenStudy, out: Path, said: Sequence[Judgement]) -> None:
    test = study.settings.test
    names = tuple(question.id for question in test.questions())
    folder = StudyFolder.create(
        out,
        name=study.settings.name,
        simulated=study.simulated,
        dimensions=names,
        descriptive_dimensions=names if test.descriptive else (),
        notes=_notes(study),
    )
    clips = [clip for clip in study.stimuli.clips() if clip.prompt_id != HEADPHONES]
    for clip in clips:
        _copy_audio(study.stimuli, folder, clip)
    folder.write_prompts(study.stimuli.prompts())
    folder.write_clips(clips)
    folder.write_judgements(said)


def _notes(study: ListenStudy) -> str:
    who = "Simulated listeners, which are programs" if study.simulated else "Listeners"
    return (
        f"{who}, asked by auralign listen; type of test '{study.settings.test.type}', "
        f"test.yaml with hash {study.settings.hash[:16]}."
    )


def _copy_audio(source: StudyFolder, target: StudyFolder, clip: Clip) -> None:
    path = target.audio_path(clip)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.audio_path(clip), path)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Lists and structures as JSON text, which a cell can hold."""
    return {
        key: to_json(value) if isinstance(value, (list, tuple, dict)) else value
        for key, value in row.items()
    }
