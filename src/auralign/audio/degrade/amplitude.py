"""What a converter does to samples: clipping and coarse quantisation."""

from __future__ import annotations

import numpy as np

from auralign.errors import ConfigError
from auralign.types import Audio

MAX_BITS = 24


def clip_hard(audio: Audio, drive_db: float) -> Audio:
    """What an input driven `drive_db` dB over its range leaves: the clip with flat tops.

    Everything above the clip's own peak less `drive_db` is cut there; the rest stays as it was,
    so the loudness hardly changes and 0 dB changes nothing.
    """
    ceiling = np.abs(audio.samples).max(initial=0.0) / 10 ** (drive_db / 20)
    return _flatten_above(audio, ceiling)


def clip_at_quantile(audio: Audio, quantile: float) -> Audio:
    """The clip with flat tops above that quantile of its magnitudes; 1 changes nothing.

    Raises ConfigError unless 0 < quantile <= 1.
    """
    if not 0 < quantile <= 1:
        raise ConfigError(f"clipping takes a quantile above 0 and up to 1, not {quantile:g}")
    return _flatten_above(audio, np.quantile(np.abs(audio.samples), quantile))


def _flatten_above(audio: Audio, ceiling: np.floating) -> Audio:
    return Audio(np.clip(audio.samples, -ceiling, ceiling).astype(np.float32), audio.sample_rate)


def reduce_bits(audio: Audio, bits: float) -> Audio:
    """Uniform quantisation to `2 ** bits` steps of full scale, without dither.

    A step is 2 / 2 ** bits and zero is a level, so that quiet passages fall silent (which fools
    measures of the noise in pauses). Raises ConfigError unless 2 <= bits <= 24, in whole bits.
    """
    levels = 2 ** (_whole_bits(bits) - 1)
    codes = np.clip(np.round(audio.samples * levels), -levels, levels - 1)
    return Audio((codes / levels).astype(np.float32), audio.sample_rate)


def mu_law(audio: Audio, bits: float) -> Audio:
    """Quantisation in equal steps of the logarithm: mu-law companding with mu = 2 ** bits - 1.

    With 8 bits the law of ITU-T G.711 in its continuous form. Raises ConfigError unless
    2 <= bits <= 24, in whole bits.
    """
    mu = 2 ** _whole_bits(bits) - 1
    samples = np.clip(audio.samples.astype(np.float64), -1, 1)
    companded = np.log1p(mu * np.abs(samples)) / np.log1p(mu)
    half = (mu - 1) / 2
    steps = np.round(companded * half) / half
    expanded = np.sign(samples) * np.expm1(steps * np.log1p(mu)) / mu
    return Audio(expanded.astype(np.float32), audio.sample_rate)


def _whole_bits(bits: float) -> int:
    if not 2 <= bits <= MAX_BITS or bits != int(bits):
        raise ConfigError(f"quantisation takes 2 to {MAX_BITS} whole bits, not {bits:g}")
    return int(bits)
