"""What explains the votes of a study: attributes of clips, loudness, duration, the order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from auralign.errors import DataError, NotConvergedError
from auralign.stats.comparisons import comparisons_from
from auralign.stats.explain.confounders import ConfounderCheck, check_confounders
from auralign.stats.explain.conjoint import ConjointEffects, conjoint_effects
from auralign.stats.explain.consistency import RatingPairConsistency, rating_pair_consistency
from auralign.stats.explain.effects import Effect
from auralign.stats.explain.factors import fit_factors
from auralign.stats.intervals import check_level
from auralign.stats.studies.selection import Selection, select_judgements
from auralign.types import Comparisons

Attributes = Mapping[str, Mapping[str, float]]
Levels = Mapping[str, Mapping[str, str]]
Value = TypeVar("Value", float, str)
Result = TypeVar("Result")

DURATION, LOUDNESS = "duration [s]", "loudness [LUFS]"


@dataclass(frozen=True, slots=True)
class Factors:
    """What attributes do to preferences, all together; see `FactorFit`."""

    effects: tuple[Effect, ...]
    share_explained: float
    n: int
    n_raters: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyExplanation:
    """Looks at the votes of one dimension; one that is not possible says why in `missing`.

    factors      how attributes of clips move the odds of being preferred
    confounders  whether they, or the order, explain what is credited to systems
    conjoint     what each level of each attribute of a factorial design does to the chance of a
                 win; None where no design was given
    consistency  ratings against votes on the same clips
    missing      the name of a look -> the reason that there is none
    """

    study: str
    simulated: bool
    dimension: str
    level: float
    n: int
    attributes: tuple[str, ...]
    factors: Factors | None
    confounders: ConfounderCheck | None
    conjoint: ConjointEffects | None
    consistency: RatingPairConsistency | None
    missing: Mapping[str, str]
    warnings: tuple[str, ...]


def explain_study(
    study: str | os.PathLike[str],
    dimension: str,
    *,
    attributes: Attributes | None = None,
    levels: Levels | None = None,
    condition: str | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> StudyExplanation:
    """Explain the comparisons of a study folder by attributes of its clips.

    `attributes` maps attribute -> {clip id or system: value}. Where the study has audio, its
    duration and loudness are added. `levels` maps the attributes of a factorial design likewise to
    their levels; they count for `conjoint` alone. Raises `DataError` for a study without
    comparisons and for an attribute of nothing in it.
    """
    check_level(level)
    selection = select_judgements(study, dimension, protocol="pair", condition=condition)
    comparisons = comparisons_from(selection.judgements, dimension)
    known, dropped = _varied(_all_attributes(selection, attributes or {}), comparisons)
    design = {name: _by_clip(selection, name, of) for name, of in (levels or {}).items()}
    missing: dict[str, str] = {}
    return StudyExplanation(
        study=selection.study,
        simulated=selection.simulated,
        dimension=dimension,
        level=level,
        n=len(selection.judgements),
        attributes=tuple(known),
        factors=_look("factors", missing, lambda: _factors(comparisons, known, level)),
        confounders=_look(
            "confounders", missing, lambda: _confounders(selection, comparisons, known, level)
        ),
        conjoint=(
            _look("conjoint", missing, lambda: conjoint_effects(comparisons, design, level=level))
            if design
            else None
        ),
        consistency=_look("consistency", missing, lambda: _consistency(selection, level, rng)),
        missing=missing,
        warnings=(*selection.warnings, *dropped, *_remarks(selection)),
    )


def _look(name: str, missing: dict[str, str], compute: Callable[[], Result]) -> Result | None:
    try:
        return compute()
    except (DataError, NotConvergedError) as error:
        missing[name] = str(error)
        return None


def _factors(comparisons: Comparisons, attributes: Attributes, level: float) -> Factors:
    if not attributes:
        raise DataError("the study has no audio, and no attributes of clips were given")
    found = fit_factors(comparisons, attributes, level=level)
    n, n_raters = found.fit.n, found.fit.n_raters
    return Factors(found.effects, found.share_explained, n, n_raters, found.warnings)


def _confounders(
    selection: Selection, comparisons: Comparisons, attributes: Attributes, level: float
) -> ConfounderCheck:
    system_of = {item: selection.clips[item].system for item in comparisons.items}
    several = len(set(system_of.values())) > 1
    return check_confounders(
        comparisons, attributes, system_of=system_of if several else None, level=level
    )


def _consistency(
    selection: Selection, level: float, rng: np.random.Generator
) -> RatingPairConsistency:
    judgements = selection.folder.judgements(selection.dimension)
    return rating_pair_consistency(judgements, selection.dimension, rng=rng, level=level)


def _all_attributes(selection: Selection, given: Attributes) -> dict[str, dict[str, float]]:
    """Those that were measured and those that were given, by clip id."""
    found = {name: _by_clip(selection, name, values) for name, values in given.items()}
    if not selection.has_audio:
        return found
    # Only here: what measures loudness takes a second to import.
    from auralign.audio.levels import loudness_lufs

    judged = {c.clip_id for j in selection.judgements for c in j.candidates}
    clips = [selection.clips[name] for name in sorted(judged)]
    loudness = {clip.id: loudness_lufs(selection.folder.audio(clip)) for clip in clips}
    return {
        DURATION: {clip.id: clip.duration_s for clip in clips},
        LOUDNESS: {name: value for name, value in loudness.items() if value is not None},
        **found,
    }


def _by_clip(selection: Selection, name: str, values: Mapping[str, Value]) -> dict[str, Value]:
    found = {
        clip.id: values[key]
        for clip in selection.clips.values()
        for key in (clip.id, clip.system)
        if key in values
    }
    if not found:
        first = next(iter(values), "nothing")
        raise DataError(
            f"the attribute '{name}' names no clip and no system of the study, but '{first}'"
        )
    return found


def _varied(
    attributes: dict[str, dict[str, float]], comparisons: Comparisons
) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    """Without those that are the same for all compared clips: they cannot explain anything."""
    constant = [
        name
        for name, values in attributes.items()
        if len({values[item] for item in comparisons.items if item in values}) < 2
    ]
    kept = {name: values for name, values in attributes.items() if name not in constant}
    return kept, tuple(f"{name} is the same for all clips: left out" for name in constant)


def _remarks(selection: Selection) -> tuple[str, ...]:
    simulated = "all listeners are simulated: programs, not people"
    return (simulated,) if selection.simulated else ()
