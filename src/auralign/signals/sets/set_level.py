"""Distances between a set of clips and a set of recordings, over embeddings of any kind.

A set has one value, so these signals are not asked clip by clip: embed both sets, by
`embed_functionals`, `hub_models.load_encoder` or any function that gives a vector for each clip,
and ask `compare_sets`. No such value can reward a single clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from auralign.audio.clips import resample
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.signals.measures.functionals import UNITS, speech_functionals
from auralign.signals.measures.measurers import SPECTRUM_RATE, Float
from auralign.signals.sets.frechet import MIN_CLIPS, frechet_distance, frechet_limit, moments
from auralign.signals.sets.mauve import mauve
from auralign.signals.signal import (
    Direction,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Validity,
    Values,
)
from auralign.types import Audio


class SetComparison(NamedTuple):
    """What a signal says about two sets, and how much of them it is about.

    n_clips, n_references             that have an embedding
    n_clips_out, n_references_out     that have none, and were left out
    """

    values: Values
    n_clips: int
    n_references: int
    n_clips_out: int
    n_references_out: int


def compare_sets(
    signal: str,
    embeddings: Float,
    references: Float,
    *,
    rng: np.random.Generator,
    standardise: bool = False,
    **options: Any,
) -> SetComparison:
    """The signal `fad` or `mauve` of two sets of embeddings, `[clips, d]` and `[references, d]`.

    A row with NaN stands for a clip without embedding; such rows are left out and counted.
    `standardise` brings each dimension to the deviation that it has in the references and drops
    those that do not vary there: needed where dimensions have units, as functionals have. Raises
    ConfigError for an unknown signal, DataError for embeddings that cannot be compared.
    """
    if signal not in _COMPARE:
        raise ConfigError(
            f"the signal of sets '{signal}' is not one of {', '.join(_COMPARE)}"
            f"{did_you_mean(signal, _COMPARE)}"
        )
    if embeddings.ndim != 2 or references.shape[1:] != embeddings.shape[1:]:
        raise DataError(
            "expected embeddings [clips, d] of one kind, got shapes "
            f"{embeddings.shape} and {references.shape}"
        )
    a, b = _embedded(embeddings), _embedded(references)
    out = len(embeddings) - len(a), len(references) - len(b)
    pair = _standardised(a, b) if standardise else (a, b)
    return SetComparison(_COMPARE[signal](*pair, rng, **options), len(a), len(b), *out)


def embed_functionals(audios: Sequence[Audio]) -> Float:
    """The speech functionals of each clip, `[clips, d]`; NaN where one is missing."""
    rows = [speech_functionals(resample(audio, SPECTRUM_RATE)) for audio in audios]
    values = [[row[name] for name in UNITS] for row in rows]
    return np.array(
        [[np.nan if isinstance(v, Missing) else v for v in row] for row in values],
        dtype=np.float64,
    ).reshape(len(rows), len(UNITS))


def _embedded(embeddings: Float) -> Float:
    return embeddings[np.flatnonzero(np.isfinite(embeddings).all(axis=1))]


def _standardised(embeddings: Float, references: Float) -> tuple[Float, Float]:
    mean, deviation = references.mean(axis=0), references.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(np.abs(mean), 1e-9)
    a, b = ((x - mean)[:, varies] / deviation[varies] for x in (embeddings, references))
    return a, b


def _fad(
    embeddings: Float, references: Float, rng: np.random.Generator, *, min_clips: int = MIN_CLIPS
) -> Values:
    distance = frechet_distance(moments(embeddings), moments(references))
    if len(embeddings) < 2 * min_clips:
        return {"fad": distance, "fad_inf": Missing(f"fewer than {2 * min_clips} clips")}
    limit = frechet_limit(embeddings, references, rng=rng, min_clips=min_clips)
    return {"fad": distance, "fad_inf": limit.value}


def _mauve(
    embeddings: Float,
    references: Float,
    rng: np.random.Generator,
    *,
    n_clusters: int | None = None,
) -> Values:
    found = mauve(embeddings, references, rng=rng, n_clusters=n_clusters)
    return {
        "mauve": found.mauve,
        "mauve_star": found.mauve_star,
        "frontier_integral": found.frontier_integral,
    }


_COMPARE: Mapping[str, Callable[..., Values]] = {"fad": _fad, "mauve": _mauve}


def _not_for_clips() -> Measurer:
    raise ConfigError(
        "this signal has one value for a whole set of clips: embed the clips and the references, "
        "and call signals.set_level.compare_sets"
    )


_DIMENSIONS = ("overall", "production_quality")
_SET = frozenset({Requirement.SET})

SIGNALS = (
    Signal(
        name="fad",
        version=1,
        summary="Frechet audio distance of two sets of embeddings, and its limit for sets without "
        "end.",
        measures=(
            Measure("fad", "", Direction.MIN, _DIMENSIONS, low=0.0),
            Measure("fad_inf", "", Direction.MIN, _DIMENSIONS),
        ),
        load=_not_for_clips,
        requires=_SET,
        deterministic="seeded",
        validity=(
            Validity("music, preferences of people", "correlation 0.14", "arXiv 2503.16669"),
        ),
        failures=(
            "biased upwards by about 1/n: distances of sets of different size do not compare; the "
            "limit takes this out to first order and may fall below 0",
            "sees means and covariances only",
            "as blind as its embedding: Whisper's to degradation (arXiv 2602.23958)",
        ),
    ),
    Signal(
        name="mauve",
        version=1,
        summary="MAUVE and frontier integral: overlap of two sets of embeddings over clusters.",
        measures=(
            Measure("mauve", "", Direction.MAX, _DIMENSIONS, low=0.0, high=1.0),
            Measure("mauve_star", "", Direction.MAX, _DIMENSIONS, low=0.0, high=1.0),
            Measure("frontier_integral", "", Direction.MIN, _DIMENSIONS, low=0.0, high=1.0),
        ),
        load=_not_for_clips,
        requires=_SET,
        deterministic="seeded",
        failures=(
            "made for text (arXiv 2102.01454); no agreement with listeners is known for audio",
            "samples of one distribution stay below 1: 0.93 to 0.98 with ten clips a cluster, "
            "measured on Gaussians",
            "depends on the number of clusters and on their random start",
        ),
    ),
)
