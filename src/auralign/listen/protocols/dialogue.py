"""Whole dialogues in pairs, judged on one speaker."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from auralign.listen.protocols.ab import PairTest
from auralign.listen.protocols.questions import Option, Question
from auralign.listen.protocols.test_type import Dimension


class DialogueTest(PairTest):
    """Two recordings of a conversation; only what `speaker` says is judged."""

    type: Literal["dialogue"]
    speaker: str = Field(min_length=1, max_length=100)
    tie: bool = False
    asks: ClassVar[str] = "In which conversation does this speaker do better?"

    def choices(self) -> tuple[Option, ...]:
        sides = super().choices()
        return (*sides, Option("TIE", "No difference")) if self.tie else sides

    def question(self, dimension: Dimension) -> Question:
        about = f"{self.speaker}: {dimension.question}"
        return super().question(dimension.model_copy(update={"question": about}))
