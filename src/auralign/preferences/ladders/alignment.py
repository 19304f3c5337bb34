"""Word times by forced alignment with pocketsphinx, for English recordings that come without."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from auralign.audio import quantise, resample, to_mono
from auralign.audio.clips import FULL_SCALE
from auralign.audio.degrade import Span
from auralign.preferences.ladders.recording import Recording
from auralign.signals.measures.english import normalise_english
from auralign.signals.models.optional import optional
from auralign.types import Audio

SAMPLE_RATE = 16_000
FRAME_S = 0.01
NO_PRUNING = 1e-300
"""Beam [likelihood ratio]; the usual one loses one text in two that is read in an odd voice."""


def with_word_times(recordings: Iterable[Recording]) -> list[Recording]:
    """The recordings, those without word times with what alignment of their texts gives.

    A recording whose text does not align, or has words that the pronunciation dictionary lacks,
    stays without. Raises MissingExtraError when pocketsphinx is not installed.
    """
    beams = dict.fromkeys(("beam", "wbeam", "pbeam"), NO_PRUNING)
    decoder = optional("pocketsphinx", "speech").Decoder(
        samprate=SAMPLE_RATE, lm=None, bestpath=False, loglevel="FATAL", **beams
    )
    return [
        recording if recording.words else replace(recording, words=_aligned(decoder, recording))
        for recording in recordings
    ]


def _aligned(decoder: Any, recording: Recording) -> tuple[Span, ...]:
    text = normalise_english(recording.prompt.text)
    if not text or any(decoder.lookup_word(word) is None for word in text.split()):
        return ()
    decoder.set_align_text(text)
    decoder.reinit_feat()  # or the analysis remembers the clip before
    decoder.start_utt()
    decoder.process_raw(_pcm(recording.audio), full_utt=True)
    decoder.end_utt()
    spans = [_span(segment) for segment in decoder.seg() or () if _is_word(segment.word)]
    return tuple(spans) if len(spans) == len(text.split()) else ()


def _is_word(name: str) -> bool:
    """Pauses and noises have names in brackets."""
    return not name.startswith(("<", "[", "+"))


def _span(segment: Any) -> Span:
    # Other pronunciations of a word have a number, as in "read(2)".
    word = re.sub(r"\(\d+\)$", "", segment.word)
    return Span(word, segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S)


def _pcm(audio: Audio) -> bytes:
    """16-bit samples at the decoder's rate."""
    mono = quantise(to_mono(resample(audio, SAMPLE_RATE))).samples[0]
    return bytes((mono * np.float32(FULL_SCALE)).astype("<i2").tobytes())
