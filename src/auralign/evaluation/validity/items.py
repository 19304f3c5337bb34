"""The clips of a study as signals are asked about them: with their references and texts."""

from __future__ import annotations

from dataclasses import dataclass, field

from auralign.data import StudyFolder
from auralign.signals.signal import Item
from auralign.types import Audio, Clip, Prompt


@dataclass(frozen=True, eq=False)
class StudyItems:
    """Reads clips when they are asked for; a reference is read again with every clip."""

    folder: StudyFolder
    _prompts: dict[str, Prompt] = field(init=False)
    _clips: dict[str, Clip] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_prompts", {p.id: p for p in self.folder.prompts()})
        object.__setattr__(self, "_clips", {c.id: c for c in self.folder.clips()})

    def prompt(self, clip: Clip) -> Prompt:
        return self._prompts[clip.prompt_id]

    def of(self, clip: Clip) -> Item:
        """Raises DataError when its file is gone, AudioError when it is damaged."""
        prompt = self.prompt(clip)
        return Item(
            clip_id=clip.id,
            audio=self.folder.audio(clip),
            reference=self._reference(prompt),
            text=prompt.text or None,
            label=prompt.condition,
        )

    def _reference(self, prompt: Prompt) -> Audio | None:
        clip = self._clips.get(prompt.reference_clip or "")
        return self.folder.audio(clip) if clip else None
