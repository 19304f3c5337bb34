"""Votes that the P.808 toolkit writes (github.com/microsoft/P.808, src/result_parser.py).

`..._votes_per_worker....csv` has one vote a row: HITId, workerid, file, short_file_name, vote,
perhaps question_type, and a column for each part of the condition in the file's name.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from auralign.data.importers.answers import Answer, answers_study, finite, number_raters
from auralign.data.importers.source_rows import SourceRow, read_text_rows
from auralign.data.study import StudyFolder
from auralign.errors import DataError

NEEDED = ("workerid", "file", "vote")
NOT_CONDITIONS = (
    *NEEDED,
    "HITId",
    "assignment_id",
    "assignmentstatus",
    "short_file_name",
    "question_type",
)
SCALE = (1.0, 5.0)

_NOTES = """\
Votes from 1 to 5 collected with the P.808 toolkit, read from {file}, after the toolkit's own
screening. Each file is a prompt of its own; its condition, or its folder where none is known, is
the system. Workers have numbers in place of their ids.
"""


def import_p808(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False
) -> StudyFolder:
    """A study at `out` of the votes in a `votes_per_worker` file of the P.808 toolkit.

    Raises DataError that names the first broken line, and for votes of comparisons (CCR), which
    these files do not tell apart by side; StorageError when `out` is there already (`force`
    replaces a study).
    """
    path = Path(path)
    rows = read_text_rows(path)
    missing = [name for name in NEEDED if not rows or name not in rows[0].values]
    if missing:
        raise DataError(
            f"{path}: expected a votes_per_worker file of the P.808 toolkit with the column "
            f"'{missing[0]}', found none"
        )
    names = number_raters(row.values["workerid"] for row in rows)
    times = Counter[tuple[str, str, str]]()
    answers = [_answer(row, names[row.values["workerid"]], times) for row in rows]
    return answers_study(answers, path, out, notes=_NOTES.format(file=path.name), force=force)


def _answer(row: SourceRow, rater: str, times: Counter[tuple[str, str, str]]) -> Answer:
    vote, file = finite(row.values["vote"]), row.values["file"]
    if vote is None or not SCALE[0] <= vote <= SCALE[1]:
        raise row.error(f"expected a vote from 1 to 5, got '{row.values['vote']}'")
    dimension = _dimension(row.values.get("question_type", ""))
    # A worker may vote on a file again, and a trial has one answer of a rater.
    times[file, rater, dimension] += 1
    again = times[file, rater, dimension]
    return Answer(
        trial=file if again == 1 else f"{file}#{again}",
        rater=rater,
        prompt=file,
        systems=(_system(row),),
        dimension=dimension,
        rating=vote,
        scale=SCALE,
    )


def _system(row: SourceRow) -> str:
    parts = [v for name, v in row.values.items() if name not in NOT_CONDITIONS and v]
    folder = Path(row.values["file"]).parent.name
    return " ".join(parts) or folder or "all"


def _dimension(question: str) -> str:
    """`MOS_SIG` and `MOS_BAK` are P.835's; everything else is about the whole."""
    known = {"SIG": "signal", "BAK": "background"}
    return known.get(question.upper().removeprefix("MOS").strip("_"), "overall")
