"""Recordings of spoken digits, in a few of which something goes wrong, as in any corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from auralign.audio.clips import resample
from auralign.audio.espeak import Line, read_aloud
from auralign.audio.levels import at_rms
from auralign.data.corpora.digits import digit_text
from auralign.data.corpora.espeak_digits import SPEAKERS
from auralign.types import Audio, Prompt

SAMPLE_RATE = 8000
N_SPEAKERS = 4
DIGITS = (2, 4)
PACE = (0.75, 1.1)
"""Share of a speaker's usual pace."""
LEVEL_DBFS, LEVEL_SD_DB = -29.0, 1.5
PITCH_STEPS = 6
MEAN_EDGE_S = 0.04
"""Of silence before and after the speech, beyond the 50 ms that are always there."""
VOICE_FRAMES = 50
VOICES_PER_SPEAKER = 4

ACCIDENTS = {"overdriven": 0.01, "padded": 0.01, "wrong take": 0.01, "cut off": 0.005}
"""Share of the recordings that are far too loud, that are followed by silence, that are the voice
prompt instead of the text, and that break off after a few frames. A reward may find these."""
OVERDRIVE_DB = 20.0
PADDING_S = (0.3, 0.8)


@dataclass(frozen=True, eq=False)
class Recording:
    """A prompt and what was said to it; `audio` may exceed full scale, which the codec allows."""

    prompt: Prompt
    audio: Audio
    accident: str


def draw_prompts(n: int, name: str, rng: np.random.Generator) -> list[Prompt]:
    """Digit strings for a speaker, each with one of the speaker's voice prompts."""
    speakers = list(SPEAKERS)[:N_SPEAKERS]
    prompts = []
    for i in range(n):
        digits = rng.integers(10, size=rng.integers(*DIGITS, endpoint=True)).tolist()
        speaker = speakers[i % N_SPEAKERS]
        voice = voice_name(speaker, int(rng.integers(VOICES_PER_SPEAKER)))
        prompts.append(Prompt(f"{name}-{i:04d}", digit_text(digits), speaker, voice))
    return prompts


def voice_name(speaker: str, k: int) -> str:
    return f"{speaker}-voice-{k}"


def record(
    n: int, name: str, rng: np.random.Generator, accidents: Mapping[str, float] = ACCIDENTS
) -> list[Recording]:
    """`n` recordings at 8 kHz; "wrong take" and "cut off" are left to who makes tokens of them."""
    prompts = draw_prompts(n, name, rng)
    kinds = rng.choice(
        ["", *accidents], size=n, p=[1 - sum(accidents.values()), *accidents.values()]
    )
    lines = [_line(prompt, rng) for prompt in prompts]
    order = sorted(range(n), key=lambda i: lines[i].voice)
    recordings: dict[int, Recording] = {}
    for i, spoken in zip(order, read_aloud(lines[i] for i in order), strict=True):
        audio = _finish(resample(spoken, SAMPLE_RATE), str(kinds[i]), rng)
        recordings[i] = Recording(prompts[i], audio, str(kinds[i]))
    return [recordings[i] for i in range(n)]


def _line(prompt: Prompt, rng: np.random.Generator) -> Line:
    speaker = SPEAKERS[prompt.condition or ""]
    return Line(
        prompt.text,
        voice=speaker.voice,
        rate_wpm=round(speaker.rate_wpm * rng.uniform(*PACE)),
        pitch=speaker.pitch + int(rng.integers(-PITCH_STEPS, PITCH_STEPS, endpoint=True)),
    )


def _finish(audio: Audio, accident: str, rng: np.random.Generator) -> Audio:
    level = rng.normal(LEVEL_DBFS, LEVEL_SD_DB)
    level += OVERDRIVE_DB if accident == "overdriven" else 0.0
    before, after = rng.exponential(MEAN_EDGE_S, size=2)
    after += rng.uniform(*PADDING_S) if accident == "padded" else 0.0
    edges = round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)
    return Audio(np.pad(at_rms(audio, level).samples, ((0, 0), edges)), SAMPLE_RATE)
