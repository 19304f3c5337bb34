"""Arena: two systems answer one prompt, and the better answer wins."""

from __future__ import annotations

from typing import ClassVar, Literal

from auralign.listen.protocols.ab import PairTest
from auralign.listen.protocols.questions import Option


class ArenaTest(PairTest):
    """Pairs from a pool of clips made beforehand, shown with their prompt."""

    type: Literal["arena"]
    asks: ClassVar[str] = "Which one answers the prompt better?"

    def choices(self) -> tuple[Option, ...]:
        ties = (Option("TIE_GOOD", "Both good"), Option("TIE_BAD", "Both bad"))
        return (*super().choices(), *ties)
