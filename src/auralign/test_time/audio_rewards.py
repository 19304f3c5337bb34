"""Rewards of codes by what they sound like: a signal or a reward model, behind a codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from auralign.errors import ConfigError, did_you_mean
from auralign.signals.ask import Loaded, Request, ask
from auralign.signals.registry import find, measure_name
from auralign.signals.running.recording import Entry
from auralign.signals.signal import Direction, Item, Measure, Requirement, Signal
from auralign.test_time.selection import Float, Reward
from auralign.types import Codec, Prompt, RewardModel, Tokens

FRESH_CLIPS_HAVE = frozenset({Requirement.TEXT})
"""What a clip comes with that has just been sampled: the text of its prompt, and no recording."""


def signal_reward(name: str, codec: Codec, options: Mapping[str, Any] | None = None) -> Reward:
    """A measure of a signal, turned so that higher is better; NaN where it has no value.

    name   of a signal with one measure that has a better side, or `signal.measure`

    A measure with a best range counts minus the distance from it. The signal is loaded once.
    Raises ConfigError for an unknown name or option, a measure without a better side, and a signal
    that compares with recordings; MissingExtraError when an extra is not installed.
    """
    signal, measure = _judged_measure(name)
    needs = signal.requires - FRESH_CLIPS_HAVE
    if needs:
        raise ConfigError(
            f"expected a reward for fresh clips, got '{signal.name}', which needs "
            f"{' and '.join(sorted(needs))}: choose another signal"
        )
    loaded, wanted = Loaded.of(Request(signal.name, options or {})), signal.measures.index(measure)

    def reward(prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Float:
        audios = codec.decode(tokens)
        entries = [
            Entry.of(Item(str(k), audio, text=prompt.text or None))
            for k, (prompt, audio) in enumerate(zip(prompts, audios, strict=True))
        ]
        values = np.full(len(entries), np.nan)
        for row in chain.from_iterable(ask(loaded, entries)):
            value = row.scores[wanted].value
            if value is not None:
                values[int(row.clip)] = better(measure, value)
        return values

    return reward


def model_reward(model: RewardModel, codec: Codec) -> Reward:
    """What a reward model says of the decoded clips."""

    def reward(prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Float:
        return model.score(codec.decode(tokens), prompts)

    return reward


def better(measure: Measure, value: float) -> float:
    """The value turned so that higher is better: of a target minus the distance from its range."""
    if measure.direction is Direction.MAX:
        return value
    if measure.direction is Direction.MIN:
        return 0.0 - value  # without a negative zero
    assert measure.target is not None
    low, high = measure.target
    return 0.0 - max(low - value, value - high, 0.0)


def _judged_measure(name: str) -> tuple[Signal, Measure]:
    """The signal and the one measure of it that is meant."""
    signal = find(name.partition(".")[0])
    judged = {
        measure_name(signal.name, m.name): m
        for m in signal.measures
        if m.direction is not Direction.DESCRIPTIVE
    }
    if name in judged:
        return signal, judged[name]
    if name == signal.name and len(judged) == 1:
        return signal, next(iter(judged.values()))
    raise ConfigError(
        f"expected one measure of '{signal.name}' that has a better side, got '{name}'"
        f"{did_you_mean(name, judged)}: there are {', '.join(judged) or 'none'}"
    )
