"""Loss of bandwidth."""

from __future__ import annotations

import math

import numpy as np
import scipy.signal

from auralign.errors import AudioError, ConfigError
from auralign.types import Audio

TRANSITION_HZ = 200.0
"""From the passband to the stopband, centred on the cutoff."""
STOPBAND_DB = 60.0


def low_pass(audio: Audio, cutoff_hz: float) -> Audio:
    """The clip without what lies above `cutoff_hz`, without delay; infinity leaves it as it is.

    A linear-phase filter (Kaiser window) with 60 dB of attenuation from 100 Hz above the cutoff
    on. Raises ConfigError for a cutoff that is not above 100 Hz, AudioError when the clip's
    sample rate has nothing to remove there.
    """
    if not cutoff_hz > TRANSITION_HZ / 2:
        raise ConfigError(f"a low-pass takes a cutoff above 100 Hz, not {cutoff_hz:g} Hz")
    if math.isinf(cutoff_hz):
        return audio
    nyquist = audio.sample_rate / 2
    if cutoff_hz + TRANSITION_HZ / 2 >= nyquist:
        raise AudioError(
            f"a low-pass at {cutoff_hz:g} Hz changes nothing at a sample rate of "
            f"{audio.sample_rate} Hz: choose a lower cutoff"
        )
    n_taps, beta = scipy.signal.kaiserord(STOPBAND_DB, TRANSITION_HZ / nyquist)
    n_taps |= 1  # odd, so that the delay is a whole number of samples
    taps = scipy.signal.firwin(n_taps, cutoff_hz, window=("kaiser", beta), fs=audio.sample_rate)
    samples = scipy.signal.oaconvolve(audio.samples, taps[np.newaxis], mode="full", axes=1)
    begin = n_taps // 2
    kept = samples[:, begin : begin + audio.n_samples]
    return Audio(kept.astype(np.float32), audio.sample_rate)
