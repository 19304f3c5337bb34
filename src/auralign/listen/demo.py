"""A small study to look at: tones of two systems, one of them with noise."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from auralign.audio import as_audio, write_wav
from auralign.files import atomic_dir, write_text
from auralign.listen.study import SETTINGS_NAME
from auralign.types import Audio

RATE, DURATION_S = 48_000, 3.0
NOISE_DB = {"clean": -60.0, "noisy": -25.0, "noisier": -15.0}
MELODIES = {"rising": (220, 247, 262, 294), "falling": (440, 392, 349, 330), "third": (262, 330)}

SETTINGS = """\
name: Which melody sounds better?
contact: This is an example; nobody reads your answers.
test:
  type: ab
  tie: true
  dimensions:
    - id: overall
      question: Which one do you prefer?
      strength: [Slightly, Clearly, Much]
      tags: [noise, tone, rhythm]
      free_text: true
design: {trials: 6, repeats: 1}
"""


def make_demo(folder: str | os.PathLike[str], *, rng: np.random.Generator) -> Path:
    """Write the example to `folder`; StorageError when something is there already."""
    folder = Path(folder)
    with atomic_dir(folder) as aside:
        for name, notes in MELODIES.items():
            melody = _melody(notes)
            for system, noise_db in NOISE_DB.items():
                write_wav(_with_noise(melody, noise_db, rng), aside / f"clips/{system}/{name}.wav")
        write_text(aside / SETTINGS_NAME, SETTINGS)
    return folder


def _melody(notes: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Notes [Hz] of equal length that fade, float `[time]`."""
    n = round(DURATION_S * RATE / len(notes))
    time = np.arange(n) / RATE
    fade = np.minimum(1, time / 0.02) * np.exp(-2 * time)
    harmonics = range(1, 5)
    tones = [sum(np.sin(2 * np.pi * hz * k * time) / k**2 for k in harmonics) for hz in notes]
    return np.asarray(0.3 * np.concatenate([fade * tone for tone in tones]))


def _with_noise(
    melody: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    noise_db: float,
    rng: np.random.Generator,
) -> Audio:
    noise = 0.3 * 10 ** (noise_db / 20) * rng.standard_normal(melody.size)
    return as_audio(np.clip(melody + noise, -1, 1), RATE)
