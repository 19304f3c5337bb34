"""A recording with everything that is known about it, before it is degraded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auralign.audio import read_audio
from auralign.audio.degrade import Event, Span
from auralign.types import Audio, Prompt


@dataclass(frozen=True, eq=False)
class Recording:
    """A sound that answers its prompt.

    source      the samples, or the file that they are read from when they are asked for
    words       with their times, in the order in which they are said
    bars        of music, with their times; `beats_s` are the times of its beats, in seconds
    events      that the sound is the mix of
    attributes  such as speaker, sex, emotion and genre
    """

    prompt: Prompt
    source: Audio | Path
    words: tuple[Span, ...] = ()
    bars: tuple[Span, ...] = ()
    beats_s: tuple[float, ...] = ()
    events: tuple[Event, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def audio(self) -> Audio:
        """Raises AudioError for a file that cannot be read."""
        return self.source if isinstance(self.source, Audio) else read_audio(self.source)

    def attribute(self, name: str) -> str:
        """What is known of that name, in lower case; empty where nothing is."""
        return self.attributes.get(name, "").strip().lower()
