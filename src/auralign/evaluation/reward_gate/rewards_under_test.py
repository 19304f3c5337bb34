"""A signal or a reward model as the gate asks it: scores of items, more is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from auralign.errors import ConfigError, did_you_mean
from auralign.signals.ask import Loaded, Request, ask
from auralign.signals.registry import find, measure_name, measure_names
from auralign.signals.running.judgements import oriented
from auralign.signals.running.recording import Entry
from auralign.signals.signal import Direction, Item, Measure, Requirement
from auralign.stats.arrays import FloatArray
from auralign.types import Audio, Prompt, Score, ScoreStatus

Ask = Callable[[Sequence[Item]], list[Score]]


class TrainedModel(Protocol):
    """What of a `types.RewardModel` is asked here."""

    def score(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> FloatArray: ...

    @property
    def card(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, eq=False)
class RewardUnderTest:
    """What may become a reward.

    ask         the scores of items, in their order, turned so that more is better
    dimensions  of judgement that it speaks about
    takes_text  the text of the prompt is part of what it judges
    is_trained  on answers of listeners, which may be those that it is held to
    """

    name: str
    version: str
    dimensions: tuple[str, ...]
    takes_text: bool
    ask: Ask
    options: Mapping[str, Any] = field(default_factory=dict)
    is_trained: bool = False


def values_of(scores: Sequence[Score]) -> FloatArray:
    """`[items]`; NaN where there is no value."""
    return np.array([np.nan if s.value is None else s.value for s in scores], dtype=np.float64)


def reward_from_signal(name: str, **options: Any) -> RewardUnderTest:
    """A measure of a signal, such as `stoi` or `sdr.si_sdr`; the signal's name where it has one.

    Raises ConfigError for an unknown name, for a signal with several measures of which none is
    named, and for a measure that only describes: it has no better.
    """
    signal = find(name.partition(".")[0])
    measure = _measure(name, signal.name, signal.measures)
    if measure.direction is Direction.DESCRIPTIVE:
        raise ConfigError(f"'{name}' describes and does not judge: it has no better to reward")
    return RewardUnderTest(
        name=measure_name(signal.name, measure.name),
        version=str(signal.version),
        dimensions=measure.dimensions,
        takes_text=Requirement.TEXT in signal.requires,
        ask=_asking(Loaded.of(Request(signal.name, options)), measure),
        options=options,
    )


def reward_from_model(model: TrainedModel, name: str) -> RewardUnderTest:
    """A trained reward model; items' texts and labels are the text and condition of its prompts."""

    def score(items: Sequence[Item]) -> list[Score]:
        prompts = [Prompt(str(k), item.text or "", item.label) for k, item in enumerate(items)]
        values = model.score([item.audio for item in items], prompts)
        return [
            _scored(item.clip_id, name, float(v)) for item, v in zip(items, values, strict=True)
        ]

    dimension = str(model.card.get("dimension", "overall"))
    return RewardUnderTest(name, "", (dimension,), takes_text=True, ask=score, is_trained=True)


def _scored(clip_id: str, name: str, value: float) -> Score:
    if np.isfinite(value):
        return Score(clip_id, name, value)
    return Score(clip_id, name, None, ScoreStatus.FAILED, "not a finite number")


def _measure(name: str, signal: str, measures: Sequence[Measure]) -> Measure:
    by_name = {measure_name(signal, measure.name): measure for measure in measures}
    if name in by_name:
        return by_name[name]
    if name == signal and len(measures) == 1:
        return measures[0]
    known = measure_names(find(signal))
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    raise ConfigError(
        f"'{name}' is not one measure{did_you_mean(name, known)}: choose one of {shown}"
    )


def _asking(loaded: Loaded, measure: Measure) -> Ask:
    name = measure_name(loaded.signal.name, measure.name)

    def score(items: Sequence[Item]) -> list[Score]:
        entries = [replace(Entry.of(item), clip=str(k)) for k, item in enumerate(items)]
        rows = {row.clip: row for batch in ask(loaded, entries) for row in batch}
        found = [
            next(s for s in rows[str(k)].scores if s.signal == name) for k in range(len(items))
        ]
        return [
            s if s.value is None else replace(s, value=oriented(s.value, measure)) for s in found
        ]

    return score
