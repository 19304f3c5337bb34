"""A voice that everything can be done to, and others like it."""

import functools

import numpy as np
import pytest

from auralign.audio.degrade import Event, Span
from auralign.preferences.ladders import OPERATIONS, Recording, build_ladder
from auralign.types import Audio, Prompt

RATE = 16_000
SPEAKERS = {"ann": ("f", 200), "bob": ("m", 110), "carl": ("m", 130), "dora": ("f", 180)}
TEXTS = ("one two three four", "four three two one")
EMOTIONS = ("neutral", "angry")


def tone(f0: float, seconds: float, seed: int) -> np.ndarray:
    """Harmonics with a melody and a little noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.1 * np.sin(2 * np.pi * 2 * t))) / RATE
    samples = sum(np.sin(h * phase) / h for h in range(1, 20))
    noise = np.random.default_rng(seed).normal(0, 0.003, t.size)
    return 0.2 * samples / np.abs(samples).max() + noise


def take(speaker: str, text: str, emotion: str, seed: int) -> Recording:
    """Four words of 0.3 s with pauses of 0.15 s between them."""
    sex, f0 = SPEAKERS[speaker]
    pause = np.random.default_rng(seed).normal(0, 0.001, round(0.15 * RATE))
    words, spans, at = [], [], 0.0
    for label in text.split():
        raised = 1 + 0.2 * (emotion == "angry") + 0.01 * len(label)
        words += [tone(f0 * raised, 0.3, seed), pause]
        spans.append(Span(label, at, at + 0.3))
        at += 0.45
    audio = Audio(np.concatenate(words).astype(np.float32)[None], RATE)
    events = tuple(
        Event(s.label, Audio(audio.samples[:, : round(0.3 * RATE)], RATE), s.begin_s) for s in spans
    )
    return Recording(
        Prompt(f"{speaker}-{text.split()[0]}-{emotion}", text, condition=speaker),
        audio,
        words=tuple(spans),
        bars=tuple(Span(str(i), i * 0.45, (i + 1) * 0.45) for i in range(4)),
        beats_s=tuple(i * 0.45 for i in range(4)),
        events=events,
        attributes={"speaker": speaker, "sex": sex, "emotion": emotion, "genre": sex},
    )


@pytest.fixture(scope="session")
def takes() -> list[Recording]:
    """Each text by each speaker in each emotion; the first is what is degraded."""
    return [
        take(speaker, text, emotion, seed)
        for seed, speaker in enumerate(SPEAKERS)
        for text in TEXTS
        for emotion in EMOTIONS
    ]


@pytest.fixture(scope="session")
def voice(takes) -> Recording:
    return takes[0]


@pytest.fixture(scope="session")
def stranger() -> Recording:
    """A mix of events whose labels are nowhere else."""
    sound = Audio(np.full((1, RATE // 2), 0.1, np.float32), RATE)
    return Recording(Prompt("owl", "an owl"), sound, events=(Event("owl", sound, 0.0),))


@pytest.fixture(scope="session")
def others(takes, stranger) -> list[Recording]:
    return [*takes[1:], stranger]


@pytest.fixture(scope="session")
def ladder_of(voice, others):
    """The ladder of the voice by the operation of that id."""

    @functools.cache
    def build(name: str):
        return build_ladder(voice, OPERATIONS[name], seed=7, others=others)

    return build
