"""Spoken digit strings from espeak-ng voices: a corpus that needs no download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auralign.audio.clips import resample
from auralign.audio.espeak import Line, read_aloud
from auralign.data.corpora.digits import (
    DigitTask,
    Utterance,
    digit_text,
    draw_tasks,
    finish,
)
from auralign.errors import ConfigError

SLOW_RATE = 0.55
SLOW_WORD_GAP = 4


@dataclass(frozen=True, slots=True)
class Speaker:
    """An espeak-ng voice at its usual pace (words per minute) and pitch (0 to 99)."""

    voice: str
    rate_wpm: int
    pitch: int


SPEAKERS = {
    "f2-us": Speaker("en-us+f2", 160, 50),
    "m1-us": Speaker("en-us+m1", 150, 45),
    "f4-scot": Speaker("en-gb-scotland+f4", 170, 60),
    "m3-gb": Speaker("en+m3", 165, 30),
    "f1-rp": Speaker("en-gb-x-rp+f1", 155, 40),
    "m7-carib": Speaker("en-029+m7", 175, 60),
}


def espeak_digit_corpus(
    n: int,
    *,
    n_speakers: int = len(SPEAKERS),
    flaw_share: float,
    digits: tuple[int, int] = (3, 5),
    sample_rate: int = 16_000,
    rng: np.random.Generator,
) -> list[Utterance]:
    """`n` digit strings by the first `n_speakers` of six voices, `flaw_share` of them flawed.

    digits        shortest and longest string
    sample_rate   Hz, of the utterances (mono, -23 dBFS RMS)

    The prompt asks for the digits in the speaker's voice (`condition`). Pace varies by 10 % and
    pitch by 8 steps from utterance to utterance. Raises ConfigError for values out of range,
    AudioError when espeak-ng cannot be loaded.
    """
    if not 1 <= n_speakers <= len(SPEAKERS):
        raise ConfigError(f"n_speakers must be from 1 to {len(SPEAKERS)}, not {n_speakers}")
    speakers = list(SPEAKERS)[:n_speakers]
    tasks = draw_tasks(n, speakers, flaw_share=flaw_share, digits=digits, rng=rng)
    lines = [_line(task, rng) for task in tasks]
    of_one_voice = sorted(range(n), key=lambda i: lines[i].voice)
    utterances: dict[int, Utterance] = {}
    for i, spoken in zip(of_one_voice, read_aloud(lines[i] for i in of_one_voice), strict=True):
        audio = finish(resample(spoken, sample_rate), tasks[i].flaws, rng)
        utterances[i] = tasks[i].utterance(audio)
    return [utterances[i] for i in range(n)]


def _line(task: DigitTask, rng: np.random.Generator) -> Line:
    speaker, slow = SPEAKERS[task.speaker], "slow" in task.flaws
    pace = rng.uniform(0.9, 1.1) * (SLOW_RATE if slow else 1.0)
    return Line(
        digit_text(task.spoken),
        voice=speaker.voice,
        rate_wpm=round(speaker.rate_wpm * pace),
        pitch=speaker.pitch + int(rng.integers(-8, 8, endpoint=True)),
        word_gap=SLOW_WORD_GAP if slow else 0,
    )
