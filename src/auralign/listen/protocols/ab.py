"""A/B: which of two clips is better."""

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
    sets_of,
)
from auralign.types import Outcome, TrialProtocol

SIDES = (Outcome.A.value, Outcome.B.value)


class PairTest(TestType):
    """Two clips of one prompt; an answer is an `Outcome`."""

    compares_two: ClassVar[bool] = True
    checkable: ClassVar[bool] = True
    asks: ClassVar[str] = "Which one do you prefer?"

    def choices(self) -> tuple[Option, ...]:
        return (Option("A", "A"), Option("B", "B"))

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "choice",
            options=self.choices(),
            strength=dimension.strength,
            strength_for=SIDES,
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return sets_of(stimuli, 2)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        outcome = Outcome(str(reply.value))
        yield Said(TrialProtocol.PAIR, (0, 1), outcome=outcome, strength=reply.strength)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.PAIR, (0, 1), outcome=Outcome.SKIP)


class AbTest(PairTest):
    """Two clips, one choice.

    tie        allow "no difference"
    both_bad   allow "both good" and "both bad" in its place
    """

    type: Literal["ab"]
    tie: bool = False
    both_bad: bool = False

    def choices(self) -> tuple[Option, ...]:
        sides = super().choices()
        if self.both_bad:
            ties = (Option("TIE_GOOD", "Both good"), Option("TIE_BAD", "Both bad"))
            return (*sides, *ties)
        return (*sides, Option("TIE", "No difference")) if self.tie else sides
