"""Log-mel spectrograms as pictures that compare: same frequencies, same decibels, same colours."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from auralign.audio.features import MelSettings, hz_to_mel, log_mel
from auralign.report.data_uri import png_uri
from auralign.report.element import percent, picture, rule, tag, text
from auralign.report.scale import Scale, tick_labels, ticks
from auralign.types import Audio

QUIET_DB, LOUD_DB = -75.0, -15.0
"""The ends of the colour map, dB re the mel magnitude of a full-scale sine."""

HEIGHT = 96
"""Of the picture without its axis, in CSS pixels."""
_F_MIN, _F_MAX = 50.0, 7_800.0
_COLOURS = (
    (247, 251, 251), (183, 228, 228), (129, 200, 206), (86, 170, 183), (55, 139, 157),
    (39, 107, 127), (33, 77, 94), (29, 48, 59), (8, 24, 34),
)  # fmt: skip
"""Equal steps of lightness in Oklab from paper to ink, so that grey print keeps the order."""


@lru_cache(maxsize=1)
def palette() -> NDArray[np.uint8]:
    """The colour map, quiet to loud, uint8 `[64, 3]`."""
    stops = np.linspace(0, 63, len(_COLOURS))
    channels = [np.interp(np.arange(64), stops, channel) for channel in zip(*_COLOURS, strict=True)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def settings_for(sample_rate: int) -> MelSettings:
    """Windows of 32 ms every 8 ms or nearly so, 80 bands up to 7.8 kHz or what the rate allows."""
    n_fft = 2 ** round(math.log2(0.032 * sample_rate))
    f_max = min(_F_MAX, 0.4875 * sample_rate)
    return MelSettings(
        sample_rate=sample_rate, n_fft=n_fft, hop=n_fft // 4, n_mels=80, f_min=_F_MIN, f_max=f_max
    )


def spectrogram_pixels(audio: Audio) -> NDArray[np.uint8]:
    """Palette indices `[bands, frames]`, high frequencies on top; `audio` is not empty."""
    mel = log_mel(audio.mono()[None], settings_for(audio.sample_rate))[0]
    decibel = mel * (20 / math.log(10))
    share = np.clip((decibel - QUIET_DB) / (LOUD_DB - QUIET_DB), 0, 1)
    return np.asarray(np.round(share.T[::-1] * 63), dtype=np.uint8)


def spectrogram(audio: Audio, title: str, longest_s: float) -> str:
    """The picture with its axes; its width is the clip's share of `longest_s` seconds."""
    image = tag(
        "image",
        href=png_uri(spectrogram_pixels(audio), palette()),
        width=percent(audio.duration_s / longest_s),
        height=HEIGHT,
        preserveAspectRatio="none",
        class_="paper",
    )
    return picture(
        title,
        "Time to the right in seconds, frequency upwards in kHz on the mel scale",
        [
            image,
            *_frequency_labels(settings_for(audio.sample_rate)),
            *_time_labels(longest_s),
            rule(0, 0, 0, HEIGHT, "playhead"),
        ],
        width="100%",
        height=HEIGHT + 20,
        class_="spectrogram",
    )


def _frequency_labels(settings: MelSettings) -> list[str]:
    low, high = hz_to_mel(np.array([settings.f_min, settings.f_max]))
    kilohertz = [k for k in (0.5, 1.0, 2.0, 4.0) if 1000 * k < settings.f_max]
    mels = hz_to_mel(1000 * np.array(kilohertz))
    up = Scale(float(low), float(high), HEIGHT, 0)
    labels = [
        text(f"{k:g}", -6, up(float(mel)) + 4, "end", "tick")
        for k, mel in zip(kilohertz, mels, strict=True)
    ]
    return [text("kHz", -6, 9, "end", "tick"), *labels]


def _time_labels(longest_s: float) -> list[str]:
    values = ticks(0, longest_s, 4)
    parts = [rule(0, HEIGHT, "100%", HEIGHT, "axis")]
    labels = tick_labels(values)
    for value, label in zip(values, [*labels[:-1], f"{labels[-1]} s"], strict=True):
        share = value / longest_s
        anchor = "start" if share == 0 else "end" if share > 0.95 else "middle"
        parts.append(rule(percent(share), HEIGHT, percent(share), HEIGHT + 4, "axis"))
        parts.append(text(label, percent(share), HEIGHT + 17, anchor, "tick"))
    return parts
