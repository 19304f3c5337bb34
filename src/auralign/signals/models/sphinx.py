"""English content by pocketsphinx, whose model comes with the package: alignment and word errors.

Aligning the text that is to be said needs no language model, so it judges the speech alone. By
its score, the true one of five texts came first for all of five clips from clean speech down to
0 dB of white noise; free recognition has 28 % word errors on clean readings already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from auralign.audio.clips import FULL_SCALE
from auralign.signals.measures.english import normalise_english
from auralign.signals.measures.measurers import each
from auralign.signals.measures.transcripts import error_rates
from auralign.signals.models.optional import optional
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Requirement,
    Signal,
    Validity,
)
from auralign.types import Audio

SAMPLE_RATE = 16_000
SCORE_SCALE = 1024
"""pocketsphinx divides its log scores by this (`SENSCR_SHIFT` of its sources)."""

_PHONE_LOOP = "phone_loop"
_NO_PRUNING = 1e-300
"""Beam [likelihood ratio] that also keeps texts which were not said, so that they get a score."""


def load_alignment() -> Measurer:
    """Log-likelihood ratio of the text, aligned by force, to a free loop of phones."""
    text, phones = _aligner(), _aligner()
    phones.add_allphone_file(_PHONE_LOOP)
    phones.activate_search(_PHONE_LOOP)
    return each(lambda item: {"align_llr": _alignment_score(text, phones, item)})


def load_recogniser() -> Measurer:
    """Word error rate of free recognition with the package's trigram language model."""
    hear = _recogniser()
    return each(lambda item: {"wer_sphinx": _word_error_rate(item.text or "", hear(item.audio))})


def load_excess() -> Measurer:
    """How much higher the word error rate is than that of a reference recording of the text."""
    hear = _recogniser()
    return each(lambda item: {"wer_sphinx_excess": _excess(item, hear)})


def _recogniser() -> Callable[[Audio], str]:
    decoder = _decoder()
    return lambda audio: _heard(decoder, audio)


def _decoder(**settings: Any) -> Any:
    return optional("pocketsphinx", "speech").Decoder(
        samprate=SAMPLE_RATE, loglevel="FATAL", **settings
    )


def _aligner() -> Any:
    """A decoder whose scores of different searches can be subtracted.

    Scores are relative to the best state of each frame; only with `compallsen` are these the best
    of all states, the same for both searches, instead of the best that the search looked at. The
    search through the lattice (`bestpath`) may leave out words at the end of a text.
    """
    beams = dict.fromkeys(("beam", "wbeam", "pbeam"), _NO_PRUNING)
    return _decoder(lm=None, compallsen=True, bestpath=False, lw=1.0, wip=1.0, **beams)


def _alignment_score(text: Any, phones: Any, item: Item) -> float | Missing:
    """Nats a frame of 10 ms by which the text explains the clip better than the loop of phones."""
    words = normalise_english(item.text or "")
    if not words:
        return Missing("the text has no words")
    if any(text.lookup_word(word) is None for word in words.split()):
        return Missing("the text has words that the pronunciation dictionary lacks")
    text.set_align_text(words)
    aligned, free = _log_likelihood(text, item.audio), _log_likelihood(phones, item.audio)
    if aligned is None or free is None:
        return Missing("the clip is too short for its text")
    return (aligned - free) / int(text.n_frames())


def _log_likelihood(decoder: Any, audio: Audio) -> float | None:
    """Of the best path through the whole clip [nats]; None where there is no path."""
    hypothesis = _decode(decoder, audio)
    return None if hypothesis is None else SCORE_SCALE * math.log(hypothesis.score)


def _heard(decoder: Any, audio: Audio) -> str:
    hypothesis = _decode(decoder, audio)
    return "" if hypothesis is None else str(hypothesis.hypstr)


def _decode(decoder: Any, audio: Audio) -> Any:
    decoder.reinit_feat()  # or the analysis remembers the clip before
    decoder.start_utt()
    # The whole clip at once, so that its own mean spectrum is taken out.
    decoder.process_raw(_pcm(audio), full_utt=True)
    decoder.end_utt()
    return decoder.hyp()


def _pcm(audio: Audio) -> bytes:
    """16-bit samples of the mono mix; clipped beyond full scale."""
    codes = (audio.mono() * FULL_SCALE).round().clip(-FULL_SCALE, FULL_SCALE - 1)
    return codes.astype("<i2").tobytes()


def _word_error_rate(text: str, heard: str) -> float | Missing:
    rates = error_rates(text, heard)
    return rates["wer"] if rates else Missing("the text has no words")


def _excess(item: Item, hear: Callable[[Audio], str]) -> float | Missing:
    if item.reference is None:
        return Missing("there is no reference recording")
    rate, usual = (
        _word_error_rate(item.text or "", hear(audio)) for audio in (item.audio, item.reference)
    )
    return rate if isinstance(rate, Missing) or isinstance(usual, Missing) else rate - usual


_TOLD_APART = (
    Validity(
        "five digits, six speakers of the Free Spoken Digit Dataset (8 kHz)",
        "true text first of five: 12 of 12 clips",
        "measured, as in tests/signals/test_extras_on_recordings.py",
    ),
    Validity(
        "texts of 5 to 9 words, one synthetic voice, white noise",
        "true text first of five: 5 of 5 clips clean and at 20, 10, 5 and 0 dB",
        "measured, as in tests/signals/models/test_sphinx.py",
    ),
)

_RECOGNITION_FAILURES = (
    "0.28 on clean LibriVox readings, 0.48 at 20 dB and 0.93 at 10 dB of white noise",
    "its language model repairs and invents words; it hears 'it' in near silence",
)
_COMMON: Mapping[str, Any] = {
    "sample_rate": SAMPLE_RATE,
    "shortest_s": 0.1,
    "extra": "speech",
    "code_licence": "BSD-2-Clause",
    "weights_licence": "BSD-2-Clause",
}

SIGNALS = (
    Signal(
        name="align_llr",
        version=1,
        summary="How well the asked text explains the speech, against a free loop of phones "
        "(pocketsphinx, US English).",
        measures=(Measure("align_llr", "nats/frame", Direction.MAX, ("content_preservation",)),),
        load=load_alignment,
        requires=frozenset({Requirement.TEXT}),
        validity=_TOLD_APART,
        failures=(
            "US English only; words outside of the dictionary of 135,000 get no value",
            "white noise hides wrong words: the gap to a wrong text falls from 3 nats/frame on "
            "clean speech to 1 at 0 dB",
            "compares texts on one clip, or clips of one voice; voices differ by 1 nat/frame",
            "hears content, not quality: it may rise under mild noise, and often puts neighbouring "
            "rungs of a ladder in the wrong order",
        ),
        ladders={"noise": False, "clip": True, "band": True, "quantise": False},
        **_COMMON,
    ),
    Signal(
        name="wer_sphinx",
        version=1,
        summary="Word error rate of free recognition (pocketsphinx, US English).",
        measures=(Measure("wer_sphinx", "", Direction.MIN, ("content_preservation",), low=0.0),),
        load=load_recogniser,
        requires=frozenset({Requirement.TEXT}),
        failures=(
            *_RECOGNITION_FAILURES,
            "high on clean speech already: read the excess over a reference, not the rate",
        ),
        **_COMMON,
    ),
    Signal(
        name="wer_sphinx_excess",
        version=1,
        summary="How much higher the word error rate is than that of a reference recording of "
        "the text (pocketsphinx, US English).",
        measures=(Measure("wer_sphinx_excess", "", Direction.MIN, ("content_preservation",)),),
        load=load_excess,
        requires=frozenset({Requirement.TEXT, Requirement.REFERENCE}),
        failures=_RECOGNITION_FAILURES,
        **_COMMON,
    ),
)
