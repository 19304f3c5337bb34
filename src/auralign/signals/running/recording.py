"""Decoded clips and the versions of them that signals share: mono or not, at their rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from auralign.audio import resample, to_mono
from auralign.signals.signal import Item
from auralign.types import Audio

Channels = Literal["any", "mono"]


@dataclass(frozen=True, eq=False)
class Recording:
    """Decoded audio; each version is made once, when the first signal asks for it."""

    audio: Audio
    _versions: dict[tuple[int, bool], Audio] = field(default_factory=dict)

    def version(self, sample_rate: int | None, channels: Channels) -> Audio:
        """The audio at `sample_rate` Hz (its own for None), as the mean over channels for mono."""
        rate = sample_rate or self.audio.sample_rate
        mono = channels == "mono" and self.audio.channels > 1
        if (rate, mono) not in self._versions:
            self._versions[rate, mono] = self._make(rate, mono)
        return self._versions[rate, mono]

    def _make(self, rate: int, mono: bool) -> Audio:
        if rate != self.audio.sample_rate:
            return resample(self.version(None, "mono" if mono else "any"), rate)
        return to_mono(self.audio) if mono else self.audio


@dataclass(frozen=True, eq=False)
class Entry:
    """What stands in front of the gate: a clip as it was decoded, with what came along.

    clip       the name that it was given by
    clip_id    the hash of its samples
    given      what came along, in words: the path of the reference, the text, the label
    """

    clip: str
    clip_id: str
    recording: Recording
    reference: Recording | None = None
    text: str | None = None
    label: str | None = None
    given: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, item: Item) -> Entry:
        """Of an item that is in memory and has not been looked at."""
        reference = None if item.reference is None else Recording(item.reference)
        recording = Recording(item.audio)
        return cls(item.clip_id, item.clip_id, recording, reference, item.text, item.label)
