"""What simulated listeners hear: five percepts of a clip, measured by means of their own.

The ears are a hidden-Markov recogniser and simple spectral measures. Nothing here is used by the
signals that evaluate (a neural recogniser, level and noise-floor meters), so that a generator
cannot please both through the same flaw of one measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.audio.clips import resample
from auralign.audio.degrade import add_noise
from auralign.audio.features import stft
from auralign.audio.levels import log_crest_factor
from auralign.errors import DataError, did_you_mean
from auralign.files import reading
from auralign.signals.recognisers.hmm import HmmRecogniser
from auralign.signals.recognisers.words import word_errors
from auralign.types import Audio, Prompt

PERCEPTS = ("words", "voice", "pace", "noise", "harshness")
"""Right words, right speaker, comfortable pace, background noise, distortion."""

_SAMPLE_RATE = 16_000
_COMFORTABLE_S_PER_WORD = 0.42
_NOISE_SNR_DB = (5.0, 20.0)
_MAX_MISFIT = 20.0
"""Log-score per frame by which the asked words fit worse than the heard ones, at the most."""

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ears:
    """Percepts in units of their spread over ordinary recordings; higher is always better.

    voices   mean log spectrum of each speaker less its level, `[speakers, bins]`
    centre   and `spread` of the raw percepts over the recordings that the ears were fitted on
    """

    recogniser: HmmRecogniser
    speakers: tuple[str, ...]
    voices: Float
    centre: Float
    spread: Float

    @classmethod
    def fit(
        cls,
        clean: Sequence[Audio],
        clean_prompts: Sequence[Prompt],
        ordinary: Sequence[Audio],
        ordinary_prompts: Sequence[Prompt],
        *,
        rng: np.random.Generator,
    ) -> Ears:
        """Learns words and voices from clean speech, and what is ordinary from mixed recordings.

        Every other clean clip is heard through noise, so that noise alone is not a wrong word.
        """
        noisy = [
            add_noise(audio, rng.uniform(*_NOISE_SNR_DB), "white", rng) if i % 2 else audio
            for i, audio in enumerate(clean)
        ]
        recogniser = HmmRecogniser.fit(noisy, [p.text for p in clean_prompts], rng=rng)
        speakers = tuple(sorted({p.condition or "" for p in clean_prompts}))
        colours = np.stack([_colour(audio) for audio in clean])
        of = np.array([speakers.index(p.condition or "") for p in clean_prompts])
        voices = np.stack([colours[of == i].mean(axis=0) for i in range(len(speakers))])
        n = len(PERCEPTS)
        ears = cls(recogniser, speakers, voices, np.zeros(n), np.ones(n))
        raw = ears.hear(ordinary, ordinary_prompts)
        return cls(recogniser, speakers, voices, raw.mean(axis=0), raw.std(axis=0) + 1e-6)

    def hear(self, audios: Sequence[Audio], prompts: Sequence[Prompt]) -> Float:
        """Percepts `[clips, 5]` in the order of `PERCEPTS`.

        Raises DataError for a prompt without words or by a speaker that was not heard in fitting.
        """
        for prompt in prompts:
            if not prompt.text.split():
                raise DataError(f"prompt '{prompt.id}' has no words to listen for: give it a text")
        texts = [p.text for p in prompts]
        errors = word_errors(texts, self.recogniser.transcribe(audios))
        misfit = -np.clip(self.recogniser.log_likelihood_ratio(audios, texts), -_MAX_MISFIT, 0)
        raw = [
            (
                -min(wrong / n_words, 1.0) - unlike / _MAX_MISFIT,
                self._voice_match(audio, prompt.condition or ""),
                -_off_pace(audio.duration_s / n_words),
                -_flatness(audio),
                log_crest_factor(audio),
            )
            for audio, prompt, (wrong, n_words), unlike in zip(
                audios, prompts, errors, misfit, strict=True
            )
        ]
        return (np.array(raw) - self.centre) / self.spread

    def _voice_match(self, audio: Audio, speaker: str) -> float:
        """How much nearer the clip is to the asked voice than to the nearest other, capped."""
        distance = np.sqrt(((self.voices - _colour(audio)) ** 2).sum(axis=1))
        if speaker not in self.speakers:
            raise DataError(
                f"the simulated listeners do not know the speaker '{speaker}'"
                f"{did_you_mean(speaker, self.speakers)}: ask for one of {', '.join(self.speakers)}"
            )
        asked = self.speakers.index(speaker)
        others = np.delete(distance, asked)
        return float(np.clip(others.min(initial=np.inf) - distance[asked], -20.0, 20.0))

    def save(self, folder: Path) -> None:
        """Two files in an existing folder."""
        self.recogniser.save(folder / "recogniser.npz")
        with (folder / "ears.npz").open("wb") as file:
            np.savez(
                file,
                speakers=np.array(self.speakers),
                voices=self.voices,
                centre=self.centre,
                spread=self.spread,
            )

    @classmethod
    def load(cls, folder: Path) -> Ears:
        """Raises DataError for anything that `save` did not write."""
        recogniser = HmmRecogniser.load(folder / "recogniser.npz")
        path = folder / "ears.npz"
        with reading(path, "ears written by Ears.save"), np.load(path) as arrays:
            return cls(
                recogniser=recogniser,
                speakers=tuple(str(s) for s in arrays["speakers"]),
                voices=arrays["voices"],
                centre=arrays["centre"],
                spread=arrays["spread"],
            )


def _colour(audio: Audio) -> Float:
    """Long-term mean log spectrum `[bins]` less its level: the colour of a voice."""
    colour = _log_spectrum(audio).mean(axis=0)
    return np.asarray(colour - colour.mean())


def _log_spectrum(audio: Audio) -> Float:
    samples = resample(audio, _SAMPLE_RATE).mono()
    power = np.abs(stft(samples[None], 512, 256)[0]) ** 2
    return np.asarray(np.log(power + 1e-8), dtype=np.float64)


def _off_pace(seconds_per_word: float) -> float:
    """Distance from a comfortable pace in octaves; half an octave either way is unremarkable."""
    return max(0.0, abs(float(np.log2(seconds_per_word / _COMFORTABLE_S_PER_WORD))) - 0.25)


def _flatness(audio: Audio) -> float:
    """Mean Wiener entropy in the speech band over all frames: near 0 for noise, low for tones."""
    band = _log_spectrum(audio)[:, 6:200]
    return float((band.mean(axis=1) - np.log(np.exp(band).mean(axis=1))).mean())
