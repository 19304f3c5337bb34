"""What the digit corpora share: drawing strings and flaws, and the record of one utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auralign.audio.degrade import add_noise, clip_hard
from auralign.audio.levels import at_rms
from auralign.errors import ConfigError
from auralign.types import Audio, Prompt, Split

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

FLAWS = ("noise", "clipping", "slow", "wrong_word", "repeated_word")
"""Two of the sound (`noise`, `clipping`), one of the pace, two of the words."""

SHARE_WITH_TWO_FLAWS = 0.2
SPEECH_RMS_DBFS = -23.0
NOISE_COLOURS = ("white", "pink", "hum")
NOISE_SNR_DB = (5.0, 15.0)
CLIPPING_DRIVE_DB = (10.0, 20.0)


@dataclass(frozen=True, eq=False)
class Utterance:
    """A spoken digit string: what was asked for, what was said, and what is wrong with it."""

    prompt: Prompt
    spoken: str
    audio: Audio
    speaker: str
    flaws: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not self.flaws


@dataclass(frozen=True, slots=True)
class DigitTask:
    """One utterance to make: `spoken` differs from `wanted` where a flaw of the words says so."""

    speaker: str
    wanted: tuple[int, ...]
    spoken: tuple[int, ...]
    flaws: tuple[str, ...]

    def prompt(self, split: Split = Split.TRAIN) -> Prompt:
        """The same speaker and digits are the same prompt, so they have the same id."""
        name = f"{self.speaker}-{''.join(map(str, self.wanted))}"
        return Prompt(name, digit_text(self.wanted), condition=self.speaker, split=split)

    def utterance(self, audio: Audio, split: Split = Split.TRAIN) -> Utterance:
        return Utterance(
            self.prompt(split), digit_text(self.spoken), audio, self.speaker, self.flaws
        )


def digit_text(digits: Sequence[int]) -> str:
    """`(4, 7, 1)` -> `"four seven one"`."""
    return " ".join(DIGIT_WORDS[d] for d in digits)


def draw_tasks(
    n: int,
    speakers: Sequence[str],
    *,
    flaw_share: float,
    digits: tuple[int, int],
    rng: np.random.Generator,
) -> list[DigitTask]:
    """`n` tasks: speaker, digits and string length uniform, `flaw_share` of them flawed.

    digits   shortest and longest string, in digits

    The number of flawed tasks is `round(flaw_share * n)` exactly; each carries one flaw, or two
    in a fifth of the cases. Raises ConfigError for values out of range.
    """
    _check(n, flaw_share, digits)
    flawed = rng.permutation(n) < round(flaw_share * n)
    return [_draw_task(str(rng.choice(speakers)), digits, bool(f), rng) for f in flawed]


def _check(n: int, flaw_share: float, digits: tuple[int, int]) -> None:
    if n < 0:
        raise ConfigError(f"the number of utterances must be 0 or more, not {n}")
    if not 0 <= flaw_share <= 1:
        raise ConfigError(f"flaw_share must be from 0 to 1, not {flaw_share:g}")
    if not 1 <= digits[0] <= digits[1]:
        raise ConfigError(
            f"digits must be (shortest, longest) with 1 <= shortest <= longest, not {digits}"
        )


def _draw_task(
    speaker: str, digits: tuple[int, int], flawed: bool, rng: np.random.Generator
) -> DigitTask:
    length = rng.integers(digits[0], digits[1], endpoint=True)
    wanted = tuple(int(d) for d in rng.integers(10, size=length))
    flaws = draw_flaws(rng) if flawed else ()
    return DigitTask(speaker, wanted, misspeak(wanted, flaws, rng), flaws)


def draw_flaws(rng: np.random.Generator) -> tuple[str, ...]:
    """One flaw, or two different ones in a fifth of the cases, in the order of `FLAWS`."""
    n = 2 if rng.random() < SHARE_WITH_TWO_FLAWS else 1
    chosen = rng.choice(len(FLAWS), size=n, replace=False)
    return tuple(FLAWS[i] for i in sorted(chosen))


def misspeak(
    wanted: tuple[int, ...], flaws: Sequence[str], rng: np.random.Generator
) -> tuple[int, ...]:
    """The digits as they are said under flaws of the words."""
    spoken = list(wanted)
    if "wrong_word" in flaws:
        place = rng.integers(len(spoken))
        spoken[place] = int((spoken[place] + rng.integers(1, 10)) % 10)
    if "repeated_word" in flaws:
        place = rng.integers(len(spoken))
        spoken.insert(place, spoken[place])
    return tuple(spoken)


def finish(audio: Audio, flaws: Sequence[str], rng: np.random.Generator) -> Audio:
    """The recording with its flaws of the sound, at -23 dBFS RMS."""
    if "noise" in flaws:
        snr_db = rng.uniform(*NOISE_SNR_DB)
        audio = add_noise(audio, snr_db, str(rng.choice(NOISE_COLOURS)), rng)
    if "clipping" in flaws:
        audio = clip_hard(audio, rng.uniform(*CLIPPING_DRIVE_DB))
    return at_rms(audio, SPEECH_RMS_DBFS)
