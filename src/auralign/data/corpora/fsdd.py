"""Digit strings joined from the Free Spoken Digit Dataset: six people, real recordings."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import read_audio, resample, to_mono
from auralign.audio.degrade import stretch
from auralign.audio.levels import at_rms
from auralign.data.corpora.digits import (
    SPEECH_RMS_DBFS,
    DigitTask,
    Utterance,
    draw_tasks,
    finish,
)
from auralign.errors import AudioError, ConfigError, DataError
from auralign.types import Audio, Split

TEST_TAKES = 5
"""Takes 0 to 4 are the customary test split."""

GAP_S = (0.03, 0.12)
SLOW_GAP_S = (0.06, 0.2)
SLOW_STRETCH = 1.8
FADE_S = 0.005
PAD_S = 0.05
EDGE_MARGIN_DB = 30.0

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav")

Takes = dict[tuple[str, int], list[Path]]
"""The recordings of a speaker's digit."""


def fsdd_digit_corpus(
    path: str | os.PathLike[str],
    n: int,
    *,
    flaw_share: float,
    digits: tuple[int, int] = (3, 5),
    sample_rate: int = 16_000,
    split: Split,
    rng: np.random.Generator,
) -> list[Utterance]:
    """`n` digit strings, each joined from one speaker's takes, `flaw_share` of them flawed.

    path          the dataset's folder, or the `recordings` folder in it
    digits        shortest and longest string
    sample_rate   Hz, of the utterances (mono, -23 dBFS RMS); the recordings have 8000
    split         TEST joins takes 0 to 4, TRAIN the others

    Raises DataError for a folder without the recordings and for a recording that cannot be
    read, ConfigError for values out of range.
    github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0.
    """
    takes = _takes(Path(path), Split(split))
    speakers = sorted({speaker for speaker, _ in takes})
    tasks = draw_tasks(n, speakers, flaw_share=flaw_share, digits=digits, rng=rng)
    load = lru_cache(maxsize=None)(_load)
    return [
        task.utterance(_record(task, takes, load, sample_rate, rng), Split(split)) for task in tasks
    ]


def _takes(folder: Path, split: Split) -> Takes:
    if split is Split.VALIDATION:
        raise ConfigError("the spoken digits have the splits 'train' and 'test', not 'validation'")
    inner = folder / "recordings"
    found: Takes = defaultdict(list)
    for file in sorted((inner if inner.is_dir() else folder).glob("*.wav")):
        name = _NAME.fullmatch(file.name)
        if name and (int(name["take"]) < TEST_TAKES) == (split is Split.TEST):
            found[name["speaker"], int(name["digit"])].append(file)
    _require_complete(found, folder, split)
    return found


def _require_complete(takes: Takes, folder: Path, split: Split) -> None:
    if not takes:
        raise DataError(
            f"{folder}: expected recordings of the split '{split}' named like "
            "'7_theo_12.wav', found none: give the folder of the Free Spoken Digit Dataset"
        )
    for speaker in {speaker for speaker, _ in takes}:
        for digit in range(10):
            if (speaker, digit) not in takes:
                raise DataError(
                    f"{folder}: expected every digit from every speaker, found no "
                    f"'{digit}_{speaker}_*.wav' of the split '{split}': fetch the dataset again"
                )


def _load(file: Path) -> Audio:
    """A take without its silent edges, at the corpus level, faded in and out."""
    take = to_mono(read_audio(file))
    if not take.samples.any():
        raise AudioError(f"{file}: expected a spoken digit, got silence: fetch the dataset again")
    samples = at_rms(_without_edges(take), SPEECH_RMS_DBFS).samples
    ramp = np.linspace(0, 1, round(FADE_S * take.sample_rate), dtype=np.float32)
    fade = np.ones(samples.shape[1], dtype=np.float32)
    fade[: ramp.size] *= ramp[: fade.size]
    fade[-ramp.size :] *= ramp[::-1][-fade.size :]
    return Audio(samples * fade, take.sample_rate)


def _without_edges(take: Audio) -> Audio:
    magnitude = np.abs(take.samples[0])
    loud = np.flatnonzero(magnitude > magnitude.max() / 10 ** (EDGE_MARGIN_DB / 20))
    return Audio(take.samples[:, loud[0] : loud[-1] + 1], take.sample_rate)


def _record(
    task: DigitTask,
    takes: Takes,
    load: Callable[[Path], Audio],
    sample_rate: int,
    rng: np.random.Generator,
) -> Audio:
    slow = "slow" in task.flaws
    words = [load(_choose(takes[task.speaker, d], rng)) for d in task.spoken]
    joined = _join(words, SLOW_GAP_S if slow else GAP_S, rng)
    if slow:
        joined = stretch(joined, SLOW_STRETCH)
    return finish(resample(joined, sample_rate), task.flaws, rng)


def _choose(files: list[Path], rng: np.random.Generator) -> Path:
    return files[int(rng.integers(len(files)))]


def _join(words: list[Audio], gap_s: tuple[float, float], rng: np.random.Generator) -> Audio:
    """The words with random gaps between them and `PAD_S` of silence around them."""
    rate = words[0].sample_rate
    pieces = [_silence(PAD_S, rate)]
    for word in words:
        pieces += [word.samples[0], _silence(rng.uniform(*gap_s), rate)]
    pieces[-1] = _silence(PAD_S, rate)
    return Audio(np.concatenate(pieces)[None], rate)


def _silence(seconds: float, sample_rate: int) -> NDArray[np.float32]:
    return np.zeros(round(seconds * sample_rate), dtype=np.float32)
