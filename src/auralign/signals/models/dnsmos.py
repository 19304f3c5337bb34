"""DNSMOS: quality of speech, background and the whole, as listeners rate noise suppressors.

Windows, looping and the polynomials of the P.835 model are those of `dnsmos_local.py` in
microsoft/DNS-Challenge (arXiv 2110.01763); the P.808 model (arXiv 2010.15258) hears log-mel frames.
Two things differ. There, windows 7 to 23 of a clip are lost to rounding; here they count, so clips
over 16 s may differ. And there, the frames come from librosa, whose padding depends on its version;
here the ends are padded with zeros, as librosa does from 0.10 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import scipy.signal

from auralign.signals.measures.measurers import Float, each
from auralign.signals.models.onnx import Network, load_network
from auralign.signals.signal import (
    Direction,
    Item,
    Measure,
    Measurer,
    Missing,
    Signal,
    Validity,
    Values,
)

RATE = 16_000
WINDOW = 144_160
"""Samples of a window, 9.01 s."""
HOP = RATE
PUBLISHED_AT = "github.com/microsoft/DNS-Challenge, DNSMOS/"

N_MELS = 120
_N_FFT = 321
_FRAME_HOP = 160

Fits = Mapping[str, tuple[float, ...]]
"""Coefficients that map each raw output to MOS, the highest power first."""

_FITS: Fits = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
_PERSONALISED_FITS: Fits = {
    "sig": (-0.01019296, 0.02751166, 1.19576786, -0.24348726),
    "bak": (-0.04976499, 0.44276479, -0.1644611, 0.96883132),
    "ovrl": (-0.00533021, 0.005101, 1.18058466, -0.11236046),
}


def load(*, model: str = "", p808_model: str = "", personalised: bool = False) -> Measurer:
    """`model` is `DNSMOS/sig_bak_ovr.onnx` (`pDNSMOS/...` with `personalised`); `p808_model`, which
    may be left out, is `DNSMOS/model_v8.onnx`. Raises ConfigError without the first."""
    fits = _PERSONALISED_FITS if personalised else _FITS
    p835 = load_network(model, "model", f"{PUBLISHED_AT}DNSMOS/sig_bak_ovr.onnx")
    p808 = (
        load_network(p808_model, "p808_model", f"{PUBLISHED_AT}DNSMOS/model_v8.onnx")
        if p808_model
        else None
    )

    def measure(item: Item) -> Values:
        windows = list(_windows(item.audio.mono().astype(np.float64)))
        raw = np.mean([_mos(p835, window, fits) for window in windows], axis=0)
        return {**dict(zip(fits, map(float, raw), strict=True)), "p808": _p808(p808, windows)}

    return each(measure)


def _mos(network: Network, window: Float, fits: Fits) -> Float:
    """MOS of signal, background and both."""
    raw = network(window[None].astype(np.float32))[0]
    return np.array([np.polyval(fit, r) for fit, r in zip(fits.values(), raw, strict=True)])


def _p808(network: Network | None, windows: list[Float]) -> float | Missing:
    if network is None:
        return Missing("the option `p808_model` names no model")
    inputs = (log_mel_frames(window[:-_FRAME_HOP])[None].astype(np.float32) for window in windows)
    return float(np.mean([network(frames)[0, 0] for frames in inputs]))


def _windows(signal: Float) -> Iterator[Float]:
    """Windows of 9.01 s every second; a shorter clip is doubled until it fills one."""
    while signal.size < WINDOW:
        signal = np.concatenate([signal, signal])
    for k in range(max(1, signal.size // RATE - 9)):
        yield signal[k * HOP : k * HOP + WINDOW]


def log_mel_frames(signal: Float) -> Float:
    """Log-mel power `[frames, 120]` relative to its maximum, 0 dB at 1 and -40 dB at 0."""
    padded = np.pad(signal, _N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_FRAME_HOP]
    spectra = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", _N_FFT), axis=1)) ** 2
    power = spectra @ slaney_filterbank(_N_FFT, N_MELS, RATE)
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels -= decibels.max()
    return np.asarray((np.maximum(decibels, -80) + 40) / 40)


@lru_cache(maxsize=2)
def slaney_filterbank(n_fft: int, n_mels: int, sample_rate: int) -> Float:
    """Triangles of equal area on Slaney's mel scale, `[n_fft // 2 + 1, n_mels]`.

    The scale (Auditory Toolbox, 1998) is linear below 1 kHz and logarithmic above.
    """
    top = _slaney_mel(sample_rate / 2)
    edges = _slaney_hz(np.linspace(0, top, n_mels + 2))
    offset = np.fft.rfftfreq(n_fft, 1 / sample_rate)[:, None] - edges
    rise, fall = np.diff(edges)[:-1], np.diff(edges)[1:]
    triangles = np.maximum(np.minimum(offset[:, :-2] / rise, -offset[:, 2:] / fall), 0)
    return np.asarray(triangles * 2 / (edges[2:] - edges[:-2]))


_HZ_PER_MEL = 200 / 3
_LOG_STEP = np.log(6.4) / 27


def _slaney_mel(hz: float) -> float:
    return float(
        1000 / _HZ_PER_MEL + np.log(hz / 1000) / _LOG_STEP if hz > 1000 else hz / _HZ_PER_MEL
    )


def _slaney_hz(mel: Float) -> Float:
    knee = 1000 / _HZ_PER_MEL
    return np.where(mel > knee, 1000 * np.exp(_LOG_STEP * (mel - knee)), mel * _HZ_PER_MEL)


_QUALITY = ("production_quality",)

SIGNALS = (
    Signal(
        name="dnsmos",
        version=1,
        summary="DNSMOS P.835 (signal, background, overall) and P.808, from the authors' files.",
        measures=(
            Measure("sig", "MOS", Direction.MAX, _QUALITY),
            Measure("bak", "MOS", Direction.MAX, _QUALITY),
            Measure("ovrl", "MOS", Direction.MAX, _QUALITY),
            Measure("p808", "MOS", Direction.MAX, _QUALITY),
        ),
        load=load,
        sample_rate=RATE,
        shortest_s=0.5,
        extra="mos",
        code_licence="MIT",
        weights_licence="MIT",
        download_bytes=1_400_000,
        validity=(
            Validity(
                "noise suppressors, mean for each of them",
                "PCC 0.94 (signal), 0.98 (background), 0.98 (overall)",
                "arXiv 2110.01763",
            ),
        ),
        failures=(
            "rates noise suppression, not naturalness: no use for synthetic speech",
            "a clip under 9 s is heard several times over, with a click where it begins again",
        ),
    ),
)
