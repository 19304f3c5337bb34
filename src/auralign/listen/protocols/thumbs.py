"""Thumbs up or down: one clip, liked or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from auralign.listen.protocols.questions import Option, Question, Reply
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Said,
    Stimulus,
    TestType,
    single_clips,
)
from auralign.types import Outcome, TrialProtocol

SCALE = (0.0, 1.0)


class YesNoTest(TestType):
    """One clip and questions with a good and a bad answer, stored as 1 and 0."""

    good: ClassVar[str] = "yes"
    unsure: ClassVar[str | None] = None

    def choices(self) -> tuple[Option, ...]:
        raise NotImplementedError

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "choice",
            options=self.choices(),
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return single_clips(stimuli)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        if reply.value == self.unsure:
            yield from self.skip(n_stimuli)
            return
        rating = float(reply.value == self.good)
        yield Said(TrialProtocol.THUMBS, (0,), rating=rating, scale=SCALE)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.THUMBS, (0,), outcome=Outcome.SKIP, scale=SCALE)


class ThumbsTest(YesNoTest):
    """One clip, thumbs up or thumbs down."""

    type: Literal["thumbs"]
    good: ClassVar[str] = "up"
    asks: ClassVar[str] = "Do you like this clip?"

    def choices(self) -> tuple[Option, ...]:
        return (Option("up", "Yes"), Option("down", "No"))
