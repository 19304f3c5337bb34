"""Labels that raters gave to tasks, as codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from auralign.errors import DataError
from auralign.stats.agreement.stimuli import canonical_answers, stimulus
from auralign.stats.arrays import IntArray
from auralign.stats.comparisons import TIES, encode
from auralign.types import Judgement

Labels = Sequence[str] | Sequence[int] | NDArray[np.generic]
Coded = tuple[tuple[str, ...], IntArray]


def pair_labels(
    judgements: Iterable[Judgement], dimension: str
) -> tuple[list[str], list[str], list[str]]:
    """Task, rater and label of each pair answer, for the models of labels.

    A task is a prompt with an unordered pair of clips; the label is "first" or "second" for the
    clip chosen, in alphabetical order of the two, or "tie". Such models know nothing of
    transitivity: they say which clip of each pair is better, not which clips are best. Raises
    `DataError` when there is no answer.
    """
    answers = canonical_answers(judgements, dimension)
    if not answers:
        raise DataError(f"all pair judgements on '{dimension}' are skips or of a clip with itself")
    names = {"A": "first", "B": "second"}
    labels = ["tie" if j.outcome in TIES else names[str(j.outcome)] for j in answers]
    return [stimulus(j) for j in answers], [j.rater for j in answers], labels


def label_codes(task: Labels, rater: Labels, label: Labels) -> tuple[Coded, Coded, Coded]:
    """For the tasks, raters and labels of n rows: the names, and the code `[n]` of each row.

    Raises `DataError` for unequal lengths, no rows or a single label.
    """
    if len({len(task), len(rater), len(label)}) != 1:
        raise DataError(
            f"expected a task, a rater and a label in each row, got {len(task)} tasks, "
            f"{len(rater)} raters and {len(label)} labels"
        )
    coded = codes(task), codes(rater), codes(label)
    if len(coded[2][0]) < 2:
        raise DataError(
            f"expected labels of at least 2 classes, got {len(task)} labels"
            f"{' that are all equal' if len(task) else ''}"
        )
    return coded


def codes(names: Labels) -> Coded:
    """The distinct names in ascending order, and the code `[n]` of each."""
    if isinstance(names, np.ndarray) and np.issubdtype(names.dtype, np.integer):
        distinct, found = np.unique(names, return_inverse=True)
        return tuple(map(str, distinct)), found
    return encode([str(name) for name in names])
