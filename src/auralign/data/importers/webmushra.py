"""`mushra.csv` of webMUSHRA (github.com/audiolabs/webMUSHRA, service/write.php).

One row is one stimulus: session_test_id, what the questionnaire asked, in newer versions
session_uuid, then trial_id, rating_stimulus, rating_score (0 to 100), rating_time and
rating_comment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from auralign.data.importers.answers import Answer, answers_study, finite, number_raters
from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.data.study import StudyFolder
from auralign.errors import DataError

NEEDED = ("trial_id", "rating_stimulus", "rating_score")
SCALE = (0.0, 100.0)
MS = 1_000

_NOTES = """\
Ratings of a MUSHRA test by webMUSHRA, read from {file}: the stimulus 'reference' is the hidden
reference, the anchors have names such as anchor35. {raters}
"""
_BY_UUID = "Listeners are told apart by their sessions."
_BY_REPETITION = """\
The file does not say which rows are of one listener: a new one is taken to begin where a stimulus
of a trial comes again."""


def import_webmushra(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False
) -> StudyFolder:
    """A study at `out` of the ratings in webMUSHRA's `mushra.csv`.

    What the questionnaire asked (names, addresses) is left behind. Raises DataError that names the
    first broken line, StorageError when `out` is there already (`force` replaces a study).
    """
    path = Path(path)
    rows = read_text_rows(path)
    missing = [name for name in NEEDED if not rows or name not in rows[0].values]
    if missing:
        raise DataError(
            f"{path}: expected webMUSHRA's mushra.csv with the column '{missing[0]}', found none: "
            "for other tables see `auralign data import csv`"
        )
    by_uuid = "session_uuid" in rows[0].values
    keys = [row.values["session_uuid"] for row in rows] if by_uuid else list(_sittings(rows))
    names = number_raters(keys)
    answers = [_answer(row, names[key]) for row, key in zip(rows, keys, strict=True)]
    notes = _NOTES.format(file=path.name, raters=_BY_UUID if by_uuid else _BY_REPETITION)
    return answers_study(answers, path, out, notes=notes, force=force)


def _sittings(rows: Sequence[SourceRow]) -> Iterator[str]:
    """For each row the number of its sitting: results are appended one sitting after another."""
    seen: set[tuple[str, str]] = set()
    number = 0
    for row in rows:
        key = (row.values["trial_id"], row.values["rating_stimulus"])
        if key in seen:
            number, seen = number + 1, set()
        seen.add(key)
        yield str(number)


def _answer(row: SourceRow, rater: str) -> Answer:
    score = finite(row.values["rating_score"])
    if score is None or not SCALE[0] <= score <= SCALE[1]:
        raise row.error(
            f"expected a rating_score from 0 to 100, got '{row.values['rating_score']}'"
        )
    prompt, system = row.values["trial_id"], row.values["rating_stimulus"]
    time_ms = finite(row.values.get("rating_time"))
    return Answer(
        trial=f"{prompt}/{system}",
        rater=rater,
        prompt=prompt,
        systems=(system,),
        rating=score,
        scale=SCALE,
        time_s=None if time_ms is None else time_ms / MS,
    )
