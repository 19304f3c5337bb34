"""DCR, degradation category rating (ITU-T P.800 annex D): a clip after its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from auralign.listen.protocols.acr import CategoryTest
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Stimulus,
    single_clips,
    with_references,
)

LABELS = {
    5: "Degradation is inaudible",
    4: "Degradation is audible but not annoying",
    3: "Degradation is slightly annoying",
    2: "Degradation is annoying",
    1: "Degradation is very annoying",
}


class DcrTest(CategoryTest):
    """The reference and one clip: how much worse is it?"""

    type: Literal["dcr"]
    needs_reference: ClassVar[bool] = True
    asks: ClassVar[str] = "How does the clip compare to the reference?"

    def categories(self, dimension: Dimension) -> Mapping[int, str]:
        return LABELS

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return with_references(single_clips(stimuli), stimuli)
