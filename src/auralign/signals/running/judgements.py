"""Scores as judgements of a study: what a signal says stands beside what listeners say.

A rating is turned so that more of it is better, because that is what a judgement says: a measure of
which less is better counts negative, and one with a target by how far it is from the target. The
context keeps the value as it was measured. A measure that only describes judges nothing and is left
out. A score that is missing is a judgement that was skipped, with the reason.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from auralign.data import StudyFolder
from auralign.signals.registry import find, measure_name
from auralign.signals.running.results import Row, read_results, status_text
from auralign.signals.signal import Direction, Measure
from auralign.types import Candidate, Clip, Judgement, Outcome, Score, Source, TrialProtocol


@dataclass(frozen=True, slots=True)
class Joined:
    """What came into a study: judgements, and the measures that only describe, which did not."""

    n_judgements: int
    raters: tuple[str, ...]
    descriptive: tuple[str, ...]


def join_study(study: str | os.PathLike[str], results: str | os.PathLike[str]) -> Joined:
    """Add the results of the study's clips to its judgements, with the source `metric`.

    The rater is the measure with its signal's version, and there is one judgement on each of the
    measure's dimensions that the study has. Earlier judgements of the same measures are replaced.
    Raises DataError for a folder that is no study, or a file without results.
    """
    folder = StudyFolder.open(study)
    clips = {clip.id: clip for clip in folder.clips()}
    rows = [row for row in read_results(results) if row.clip_id in clips]
    added = [j for row in rows for j in judgements_of(row, clips, folder.header.dimensions)]
    measures = {
        measure_name(row.signal, m.name): m for row in rows for m in find(row.signal).measures
    }
    kept = [j for j in folder.judgements() if not _is_of(j, measures)]
    folder.write_judgements([*kept, *added])
    return Joined(
        len(added),
        tuple(dict.fromkeys(j.rater for j in added)),
        tuple(name for name, m in measures.items() if m.direction is Direction.DESCRIPTIVE),
    )


def judgements_of(
    row: Row, clips: Mapping[str, Clip], dimensions: Iterable[str]
) -> Iterator[Judgement]:
    """One for each measure that judges and each of its dimensions among `dimensions`."""
    known = set(dimensions)
    by_name = {measure_name(row.signal, m.name): m for m in find(row.signal).measures}
    for score in row.scores:
        measure = by_name[score.signal]
        if measure.direction is not Direction.DESCRIPTIVE:
            for dimension in measure.dimensions:
                if dimension in known:
                    yield _judgement(row, score, measure, dimension, clips)


def oriented(value: float, measure: Measure) -> float:
    """The value turned so that more is better: negated, or minus the distance from the target."""
    if measure.direction is Direction.MIN:
        return -value
    if measure.direction is Direction.TARGET and measure.target is not None:
        low, high = measure.target
        return -max(low - value, value - high, 0.0)
    return value


def scale_of(measure: Measure) -> tuple[float, float]:
    """The ends of the scale of `oriented` values; infinite where the measure has no bound."""
    low = -math.inf if measure.low is None else measure.low
    high = math.inf if measure.high is None else measure.high
    if measure.direction is Direction.MIN:
        return -high, -low
    if measure.direction is Direction.TARGET:
        return min(oriented(low, measure), oriented(high, measure)), 0.0
    return low, high


def _judgement(
    row: Row, score: Score, measure: Measure, dimension: str, clips: Mapping[str, Clip]
) -> Judgement:
    assert row.clip_id is not None, "a clip of the study has been decoded"
    value = score.value
    context = {"direction": str(measure.direction), "status": status_text(score)}
    if value is not None:
        context |= {"value": repr(value), "unit": measure.unit}
    return Judgement(
        trial=f"metric:{row.clip_id}",
        protocol=TrialProtocol.RATING,
        dimension=dimension,
        prompt_id=clips[row.clip_id].prompt_id,
        candidates=(Candidate(row.clip_id),),
        rater=f"{score.signal}@{row.version}",
        source=Source.METRIC,
        outcome=Outcome.SKIP if value is None else None,
        rating=None if value is None else oriented(value, measure),
        scale=scale_of(measure),
        context=context,
    )


def _is_of(judgement: Judgement, measures: Mapping[str, Measure]) -> bool:
    return judgement.source is Source.METRIC and judgement.rater.rpartition("@")[0] in measures
