"""Cutting and rejoining clips without clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auralign.errors import AudioError
from auralign.types import Audio

FADE_S = 0.008
"""Of a cross-fade; shorter ones click, longer ones are heard as two sounds at once."""
TONE_S = 0.1
"""Length of the quietest stretch, of which room tone is made."""

Gain = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """From sample `begin` to before `end` of `audio`."""

    audio: Audio
    begin: int
    end: int

    @property
    def n_samples(self) -> int:
        return self.end - self.begin


def whole(audio: Audio) -> Piece:
    """All of the clip."""
    return Piece(audio, 0, audio.n_samples)


def join(pieces: Sequence[Piece]) -> Audio:
    """The pieces one after the other, with cross-fades of 8 ms where they do not continue.

    The result is as long as the pieces together. A fade of equal gain reaches 4 ms to both sides
    of a joint, into what stood beside each piece where it was cut, so pieces that continue each
    other come out as they were. A result that begins or ends in the midst of a clip is faded
    there. Raises AudioError without a piece that has samples, or for other rates or channels.
    """
    pieces = [piece for piece in pieces if piece.n_samples > 0]
    if not pieces:
        raise AudioError("nothing is left to join: cut less out")
    _require_alike([piece.audio for piece in pieces])
    first, last = pieces[0], pieces[-1]
    reach = max(round(FADE_S / 2 * first.audio.sample_rate), 1)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(2 * reach) + 0.5) / (2 * reach))
    length = sum(piece.n_samples for piece in pieces)
    out = np.zeros((first.audio.channels, length + 2 * reach))
    at = 0
    for piece in pieces:
        gain = _gain(piece.n_samples, ramp, rises=piece is not first, falls=piece is not last)
        out[:, at : at + gain.size] += gain * _with_surroundings(piece, reach)
        at += piece.n_samples
    samples = out[:, reach : reach + length]
    if first.begin > 0:
        samples[:, : ramp.size] *= ramp[:length]
    if last.end < last.audio.n_samples:
        samples[:, -ramp.size :] *= ramp[::-1][-length:]
    return Audio(samples.astype(np.float32), first.audio.sample_rate)


def _gain(n: int, ramp: Gain, *, rises: bool, falls: bool) -> Gain:
    """Of `n` samples and half a ramp on both sides; the gains at a joint add up to one."""
    rise, fall = np.ones(n + ramp.size), np.zeros(n + ramp.size)
    if rises:
        rise[: ramp.size] = ramp
    if falls:
        fall[n:] = ramp
    return rise - fall


def _with_surroundings(piece: Piece, reach: int) -> NDArray[np.float64]:
    """The piece and `reach` samples on both sides, mirrored at the ends of its clip."""
    low, high = piece.begin - reach, piece.end + reach
    total = piece.audio.n_samples
    samples = piece.audio.samples[:, max(low, 0) : min(high, total)].astype(np.float64)
    return np.pad(samples, ((0, 0), (max(-low, 0), max(high - total, 0))), mode="symmetric")


def _require_alike(audios: Sequence[Audio]) -> None:
    kinds = sorted({(audio.sample_rate, audio.channels) for audio in audios})
    if len(kinds) > 1:
        raise AudioError(f"expected clips of one rate and number of channels to join, got {kinds}")


def room_tone(audio: Audio, n: int) -> Audio:
    """`n` samples of the clip's quietest 0.1 s, played forwards and backwards again and again."""
    length = min(max(round(TONE_S * audio.sample_rate), 1), audio.n_samples)
    energy = np.cumsum(np.square(audio.samples, dtype=np.float64).sum(axis=0))
    window = energy[length - 1 :] - np.concatenate([[0.0], energy[:-length]])
    begin = int(np.argmin(window))
    tone = audio.samples[:, begin : begin + length]
    there_and_back = np.concatenate([tone, tone[:, ::-1]], axis=1)
    repeats = -(-n // there_and_back.shape[1])
    return Audio(np.tile(there_and_back, (1, repeats))[:, :n], audio.sample_rate)


def to_length(audio: Audio, n: int) -> Audio:
    """The clip cut at its end, or continued with its room tone, to `n` samples."""
    if n <= audio.n_samples:
        return Audio(audio.samples[:, :n], audio.sample_rate)
    return join([whole(audio), whole(room_tone(audio, n - audio.n_samples))])
