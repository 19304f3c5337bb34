"""How simulated listeners answer. What they like says nothing about how clips sound.

Every clip has a worth drawn from its bytes, the same for all listeners, so that they agree as far
as their persona lets them. Nobody should take the outcome for a result about systems.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Persona:
    """A way to answer.

    noise       standard deviation of what is added to a worth, which has one of 1
    first_bias  what is added to the worth of the clip that is presented first
    heard       share of each clip that is played
    leaves      probability to leave before each trial
    """

    name: str
    noise: float
    first_bias: float = 0.0
    heard: float = 1.0
    leaves: float = 0.0


PERSONAS = (
    Persona("careful", noise=0.3),
    Persona("average", noise=1.0),
    Persona("first_side", noise=0.5, first_bias=2.0),
    Persona("guessing", noise=10.0),
    Persona("leaving", noise=0.5, leaves=0.1),
)


def worth(clip: bytes) -> float:
    """A standard normal number that follows from the clip's bytes."""
    digest = hashlib.sha256(clip).digest()
    seed = int.from_bytes(digest[:8], "little")
    return float(np.random.default_rng(seed).standard_normal())


def reply(
    question: Mapping[str, Any], worths: Sequence[float], rng: np.random.Generator
) -> dict[str, Any]:
    """A reply to any question that a page may get, better clips being liked better.

    worths   perceived worth of each stimulus, as presented
    """
    value = _VALUES[question["widget"]](question, worths, rng)
    strength = question["strength"] if value in question["strength_for"] else ()
    return {
        "value": value,
        "strength": _strength(worths, len(strength)) if strength else None,
        "tags": [tag for tag in question["tags"] if rng.random() < 0.3],
        "text": "",
    }


def _strength(worths: Sequence[float], n: int) -> int:
    return int(min(n, 1 + abs(worths[0] - worths[1])))


def _choice(question: Mapping[str, Any], worths: Sequence[float], rng: np.random.Generator) -> Any:
    values = [option["value"] for option in question["options"]]
    if "A" in values:
        return _side(values, worths)
    if all(isinstance(value, int) for value in values):
        # Categories of one clip, or of the second clip against the first one.
        heard = worths[1] - worths[0] if min(values) < 0 else worths[0]
        middle = sum(values) / len(values)
        return min(values, key=lambda value: abs(value - middle - heard))
    if question["id"] == "headphones":
        return values[int(rng.integers(len(values)))]
    return values[0] if worths[0] > 0 else values[1]


def _side(values: Sequence[str], worths: Sequence[float]) -> str:
    ties = [value for value in values if value.startswith("TIE")]
    if ties and abs(worths[0] - worths[1]) < 0.2:
        return ties[0] if worths[0] > 0 else ties[-1]
    return "A" if worths[0] >= worths[1] else "B"


def _scale(question: Mapping[str, Any], worths: Sequence[float], rng: np.random.Generator) -> Any:
    low, high = question["scale"]["low"], question["scale"]["high"]
    spread = (high - low) / 6
    return [float(np.clip((low + high) / 2 + spread * worth, low, high)) for worth in worths]


def _ranking(
    question: Mapping[str, Any], worths: Sequence[float], rng: np.random.Generator
) -> list[int]:
    return [int(place) for place in np.argsort(worths)[::-1]]


def _best_worst(
    question: Mapping[str, Any], worths: Sequence[float], rng: np.random.Generator
) -> dict[str, int]:
    return {"best": int(np.argmax(worths)), "worst": int(np.argmin(worths))}


_VALUES = {
    "choice": _choice,
    "scale": _scale,
    "ranking": _ranking,
    "best_worst": _best_worst,
}
