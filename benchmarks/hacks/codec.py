"""A codec whose second codebook is the level: loudness and clipping live in token space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2

from auralign.audio.features import Float, MelSettings
from auralign.policies.codec import KMeansCodec, stacked_log_mel
from auralign.types import Audio, Tokens

MEL = MelSettings(sample_rate=8000, n_fft=320, hop=80, n_mels=32, f_min=60.0, f_max=3900.0)
STACK = 2
"""20 ms a frame."""
STEP_DB = 4.0
GAINS_DB = np.array([-80.0, *np.arange(-44.0, 13.0, STEP_DB)])
"""16 levels of a frame's strongest band, dB re a full-scale sine; the first is silence. The decoder
clips at full scale, which a voice reaches at about -8 dB; speech at -29 dBFS RMS lies below -20."""
DYNAMIC_RANGE_DB = 50.0
"""Of a shape; what is softer next to the frame's strongest band is raised to it."""
_NATS_PER_DB = np.log(10) / 20


class GainShapeCodec(KMeansCodec):
    """Codebook 0 is the shape of a frame's spectrum, codebook 1 its level.

    Both codebooks are of one size; a level's code is counted modulo 16.
    """

    def encode(self, audios: Sequence[Audio]) -> list[Tokens]:
        """Tokens `[2, time]`; errors as `KMeansCodec.encode`."""
        return [self._encode(stacked_log_mel(audio, self.mel, self.stack)) for audio in audios]

    def _encode(self, frames: Float) -> Tokens:
        shapes, levels = shapes_and_levels(frames)
        books = self.centres[0]
        nearest = ((books**2).sum(1) / 2 - shapes @ books.T).argmin(1)
        gains = 1 + np.rint((levels / _NATS_PER_DB - GAINS_DB[1]) / STEP_DB)
        return np.stack([nearest, np.clip(gains, 0, len(GAINS_DB) - 1)]).astype(np.int64)


def shapes_and_levels(frames: Float) -> tuple[Float, Float]:
    """Log-mel frames `[time, bands]` less their strongest band, and that band's level `[time]`."""
    levels = frames.max(axis=1)
    floor = np.float32(-DYNAMIC_RANGE_DB * _NATS_PER_DB)
    return np.maximum(frames - levels[:, None], floor), levels


def fit_codec(
    audios: Sequence[Audio], *, codebook_size: int, rng: np.random.Generator
) -> GainShapeCodec:
    """Shapes by k-means over the frames that reach the lowest level."""
    frames = np.concatenate([stacked_log_mel(audio, MEL, STACK) for audio in audios])
    shapes, levels = shapes_and_levels(frames)
    sounding = shapes[levels > GAINS_DB[1] * _NATS_PER_DB]
    centres, _ = kmeans2(sounding, codebook_size, iter=25, minit="++", rng=rng)
    gains = np.resize(GAINS_DB, codebook_size) * _NATS_PER_DB
    books = np.stack([centres, np.repeat(gains[:, None], centres.shape[1], axis=1)])
    return GainShapeCodec(centres=books.astype(np.float32), stack=STACK, mel=MEL)
