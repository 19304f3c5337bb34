"""Speech from espeak-ng, whose library and voices come with the `espeakng-loader` wheel.

The library keeps the phase of its pitch flutter, of its wave table and of its noise generator in
static variables, and none of its calls resets them, so what was said before changes every later
utterance. Each reading therefore starts with a fresh copy of the library: the same lines in the
same order give the same samples. A lock keeps one copy in the process at a time.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auralign.errors import AudioError, MissingExtraError
from auralign.types import Audio

PAD_S = 0.05
"""Silence kept before and after the speech."""

_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples go to the callback, and the call returns when done
_DONT_EXIT = 0x8000  # report a missing data folder instead of ending the process
_UTF8 = 1
_RATE, _PITCH, _WORD_GAP = 1, 3, 7  # espeak_PARAMETER
_SILENCE = 33  # int16 steps, -60 dBFS
_RANDOM_SEED = 1

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_one_copy = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """A text and how one voice is to say it.

    voice      language and optionally `+variant`, e.g. `en-us+f2`
    rate_wpm   words per minute, 80 to 450
    pitch      0 to 99, 50 is the voice's own
    word_gap   extra pause between words, in units of 10 ms at the default rate
    """

    text: str
    voice: str
    rate_wpm: int = 160
    pitch: int = 50
    word_gap: int = 0


def say(text: str, *, voice: str, rate_wpm: int = 160, pitch: int = 50, word_gap: int = 0) -> Audio:
    """One line by itself: the same arguments give the same samples, whatever was said before."""
    (audio,) = read_aloud([Line(text, voice, rate_wpm, pitch, word_gap)])
    return audio


def read_aloud(lines: Iterable[Line]) -> Iterator[Audio]:
    """Each line spoken: mono `[1, time]`, 22050 Hz, with 50 ms of silence around it.

    A line's samples depend on the lines before it. A change of voice takes as long as a short
    line, so lines of one voice belong together. Raises AudioError for an unknown voice, for a text
    without speech, and when the library cannot be loaded.
    """
    with _one_copy, _fresh_library() as (library, sample_rate):
        voice = None
        for line in lines:
            if line.voice != voice:
                _set_voice(library, line.voice)
                voice = line.voice
            library.espeak_SetParameter(_RATE, line.rate_wpm, 0)
            library.espeak_SetParameter(_PITCH, line.pitch, 0)
            library.espeak_SetParameter(_WORD_GAP, line.word_gap, 0)
            samples = _synthesise(library, line.text)
            yield Audio(_trim(samples, sample_rate, line.text), sample_rate)


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, int]]:
    path, data = _locate()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise AudioError(
            f"the speech synthesiser {path} cannot be loaded ({error}): "
            "reinstall the package 'espeakng-loader'"
        ) from error
    try:
        sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), _DONT_EXIT)
        if sample_rate <= 0:
            raise AudioError(
                f"espeak-ng finds no voices in {data}: reinstall the package 'espeakng-loader'"
            )
        yield library, sample_rate
    finally:
        library.espeak_Terminate()
        _unload(library)


def _locate() -> tuple[Path, Path]:
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingExtraError("espeakng-loader", "gpl") from error
    return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


def _unload(library: ctypes.CDLL) -> None:
    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)


def _set_voice(library: ctypes.CDLL, voice: str) -> None:
    # espeak-ng falls back to the plain voice for an unknown variant, so that is checked here.
    _, plus, variant = voice.partition("+")
    known_variant = not plus or (_locate()[1] / "voices" / "!v" / variant).is_file()
    if not known_variant or library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise AudioError(
            f"espeak-ng has no voice '{voice}': give a language such as 'en-us' or 'en-gb-x-rp', "
            "optionally with a variant, as in 'en-us+f2'"
        )


def _synthesise(library: ctypes.CDLL, text: str) -> NDArray[np.int16]:
    chunks: list[bytes] = []

    def collect(wave: ctypes._Pointer[ctypes.c_short], n: int, events: int) -> int:
        if wave and n > 0:
            chunks.append(ctypes.string_at(wave, 2 * n))
        return 0

    callback = _Callback(collect)  # the library holds no reference, so this name must
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    return np.frombuffer(b"".join(chunks), dtype=np.int16)


def _trim(samples: NDArray[np.int16], sample_rate: int, text: str) -> NDArray[np.float32]:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENCE)
    if loud.size == 0:
        raise AudioError(f"espeak-ng spoke nothing for the text '{text}': give it words to say")
    speech = samples[loud[0] : loud[-1] + 1].astype(np.float32) / 32768
    silence = np.zeros(round(PAD_S * sample_rate), dtype=np.float32)
    return np.concatenate([silence, speech, silence])[None]
