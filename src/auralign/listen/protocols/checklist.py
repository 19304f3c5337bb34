"""A checklist: atomic questions about one clip, each answered yes or no."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from auralign.listen.protocols.questions import Option
from auralign.listen.protocols.test_type import Dimension
from auralign.listen.protocols.thumbs import YesNoTest


class ChecklistTest(YesNoTest):
    """Every dimension is an item; one that cannot be told counts as skipped."""

    type: Literal["checklist"]
    unsure: ClassVar[str | None] = "unclear"
    dimensions: tuple[Dimension, ...] = Field(min_length=1)

    def question_orders(self) -> tuple[tuple[int, ...], ...]:
        """Items are read in the order in which they are written."""
        return (tuple(range(len(self.dimensions))),)

    def choices(self) -> tuple[Option, ...]:
        return (Option("yes", "Yes"), Option("no", "No"), Option("unclear", "Cannot tell"))
