"""Ladders: one recording, degraded by one operation, rung by rung, in an order known beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from auralign.audio import clip_id, quantise, require_usable
from auralign.errors import DataError
from auralign.preferences.ladders.matching import match_length, match_loudness
from auralign.preferences.ladders.operation import Operation, Order
from auralign.preferences.ladders.recording import Recording
from auralign.types import Audio, Prompt

SHORTEST_S = 0.1


@dataclass(frozen=True, eq=False)
class Rung:
    """A clip of a ladder, in 16 bits, as loud as the others.

    gain_db   that made it so, by `loudness`, the name of the measure
    """

    severity: float
    clip_id: str
    audio: Audio
    gain_db: float
    loudness: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rung or a whole ladder that could not be made, and why."""

    operation: str
    prompt_id: str
    severity: float | None
    reason: str


@dataclass(frozen=True, eq=False)
class Ladder:
    """The control and the rungs below it, the mildest first, and the severities left out."""

    operation: Operation
    prompt: Prompt
    seed: int
    rungs: tuple[Rung, ...]
    skipped: tuple[Skipped, ...]

    def order(self) -> Iterator[tuple[Rung, Rung, bool]]:
        """Every order that is asserted: the better rung, the worse, and whether it is clear.

        Rungs that came out as the same clip are not in it.
        """
        for better, worse in combinations(self.rungs, 2):
            asserted = self.operation.order is Order.CHAIN or better is self.rungs[0]
            if asserted and better.clip_id != worse.clip_id:
                yield better, worse, self.operation.is_clear(better.severity, worse.severity)


def build_ladder(
    recording: Recording,
    operation: Operation,
    *,
    seed: int,
    others: Sequence[Recording] = (),
    severities: Sequence[float] | None = None,
    equal_lengths: bool = True,
) -> Ladder:
    """The control and a rung for each severity, all from the same draw of `seed`.

    others          what the operation may borrow from: voices, takes, events
    severities      those of the operation when None
    equal_lengths   shorter rungs are continued with room tone, so that duration tells nothing

    Rungs are brought to one loudness. A severity that the recording does not allow is left out
    and named in `skipped`. Raises AudioError or DataError when the recording lacks what the
    operation needs, so that there is no rung at all, and ConfigError for a severity out of range.
    """
    wanted = operation.mildest_first(operation.severities if severities is None else severities)
    audios, skipped = {}, []
    for severity in (operation.control, *wanted):
        rng = np.random.default_rng(seed)
        try:
            audio = operation.degrade(recording, severity, others, rng)
            require_usable(audio, f"{operation.id} {severity:g}", min_duration_s=SHORTEST_S)
        except DataError as error:
            if severity == operation.control:
                raise DataError(f"{operation.id} cannot be done here: {error}") from None
            skipped.append(Skipped(operation.id, recording.prompt.id, severity, str(error)))
        else:
            audios[severity] = audio
    if len(audios) < 2:
        reason = skipped[0].reason if skipped else "no severity is given"
        raise DataError(f"{operation.id} makes no rung of '{recording.prompt.id}': {reason}")
    rungs = _matched(audios, equal_lengths=equal_lengths or operation.keeps_length)
    return Ladder(operation, recording.prompt, seed, rungs, tuple(skipped))


def _matched(audios: dict[float, Audio], *, equal_lengths: bool) -> tuple[Rung, ...]:
    clips = list(audios.values())
    matched = match_loudness(match_length(clips) if equal_lengths else clips)
    stored = [quantise(match.audio) for match in matched]
    return tuple(
        Rung(severity, clip_id(clip), clip, match.gain_db, match.measure)
        for severity, clip, match in zip(audios, stored, matched, strict=True)
    )


def ladder_seed(seed: int, prompt_id: str, operation: Operation, draw: int = 0) -> int:
    """A seed of its own for each ladder, which does not depend on what else is built."""
    text = f"{seed}\n{prompt_id}\n{operation.id}\n{draw}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def severity_text(severity: float, operation: Operation) -> str:
    """As it stands in tables: `control`, or the number."""
    return "control" if severity == operation.control else f"{severity:g}"
