"""Answers to pairs of clips, brought to one order, and counted by stimulus and rater."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from auralign.errors import DataError
from auralign.stats.arrays import FloatArray, IntArray, sum_by
from auralign.stats.comparisons import TIES, encode, pair_judgements, share_of_first
from auralign.types import Candidate, Judgement, Outcome


@dataclass(frozen=True, eq=False)
class Votes:
    """Decisive answers: one entry for each stimulus and rater, all `[n]`.

    first     how often the rater chose the candidate that comes first in the alphabet
    total     how often the rater chose at all
    cluster   index of the prompt of each stimulus, `[n_stimuli]`
    """

    stimulus: IntArray
    rater: IntArray
    first: FloatArray
    total: FloatArray
    cluster: IntArray
    raters: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """Answers `[rater, stimulus]`: 1 for the candidate that comes first in the alphabet, 0 for
    the other, 0.5 for a tie, NaN for none. `prompts` are those of the stimuli."""

    raters: tuple[str, ...]
    stimuli: tuple[str, ...]
    prompts: tuple[str, ...]
    values: FloatArray


def answer_table(judgements: Iterable[Judgement], dimension: str) -> AnswerTable:
    """Pair answers of one dimension as a table, as coefficients of agreement take it.

    A stimulus is a prompt with an unordered pair of candidates; of several answers by a rater to
    one of them the first counts. Skips and trials of a clip with itself are no answers. Raises
    `DataError` when there is no answer.
    """
    answers = canonical_answers(judgements, dimension)
    if not answers:
        raise DataError(f"all pair judgements on '{dimension}' are skips or of a clip with itself")
    stimuli, column = encode([stimulus(j) for j in answers])
    raters, row = encode([j.rater for j in answers])
    values = np.full((len(raters), len(stimuli)), np.nan)
    prompts = dict(zip(column.tolist(), (j.prompt_id for j in answers), strict=True))
    # Backwards, so that the first answer is written last.
    for k in range(len(answers) - 1, -1, -1):
        values[row[k], column[k]] = share_of_first(answers[k])
    return AnswerTable(raters, stimuli, tuple(prompts[k] for k in range(len(stimuli))), values)


def canonical_answers(judgements: Iterable[Judgement], dimension: str) -> list[Judgement]:
    """The answers of one dimension, each in its canonical order.

    Skips and trials of a clip with itself are no answers. Raises `DataError` when the dimension
    has no pair judgement or one is incomplete.
    """
    return [canonical(j) for j in pair_judgements(judgements, dimension) if is_answer(j)]


def stimulus(judgement: Judgement) -> str:
    """Names what a canonical answer is about: the prompt and the two candidates."""
    return repr((judgement.prompt_id, *map(candidate_key, judgement.candidates)))


def candidate_key(candidate: Candidate) -> tuple[str, tuple[float, ...]]:
    """What a candidate is ordered and told apart by: the clip and the segment."""
    return candidate.clip_id, candidate.segment or ()


def decisive_votes(judgements: Iterable[Judgement], dimension: str) -> Votes:
    """The decisive answers of one dimension; raises `DataError` as `canonical_answers` does."""
    answers = [j for j in canonical_answers(judgements, dimension) if j.outcome not in TIES]
    stimuli, code = encode([stimulus(j) for j in answers])
    raters, rater = encode([j.rater for j in answers])
    prompt_of = dict(zip(map(stimulus, answers), (j.prompt_id for j in answers), strict=True))
    _, cluster = encode([prompt_of[name] for name in stimuli])
    first = np.array([j.outcome is Outcome.A for j in answers], dtype=np.float64)
    cell, place = np.unique(code * len(raters) + rater, return_inverse=True)
    return Votes(
        *np.divmod(cell, max(len(raters), 1)),
        first=sum_by(place, first, len(cell)),
        total=sum_by(place, np.ones(len(place)), len(cell)),
        cluster=cluster,
        raters=raters,
    )


def is_answer(judgement: Judgement) -> bool:
    """False for a skip and for a trial of a clip with itself."""
    first, second = judgement.candidates
    return first != second and judgement.outcome is not Outcome.SKIP


def canonical(judgement: Judgement) -> Judgement:
    """The judgement as if the candidates had been presented in alphabetical order."""
    first, second = map(candidate_key, judgement.candidates)
    return judgement if first <= second else judgement.swap()
