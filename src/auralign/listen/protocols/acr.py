"""ACR, absolute category rating (ITU-T P.800): mean opinion scores come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

LABELS = {5: "Excellent", 4: "Good", 3: "Fair", 2: "Poor", 1: "Bad"}
SCALE = (1.0, 5.0)


class CategoryTest(TestType):
    """One clip and a category from 1 to 5 on each dimension."""

    checkable: ClassVar[bool] = True

    def categories(self, dimension: Dimension) -> Mapping[int, str]:
        """The labels of the five categories, the best first."""
        return LABELS

    def question(self, dimension: Dimension) -> Question:
        categories = self.categories(dimension)
        return Question(
            dimension.id,
            dimension.question,
            "choice",
            options=tuple(Option(value, label) for value, label in categories.items()),
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return single_clips(stimuli)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        rating = float(str(reply.value))
        yield Said(TrialProtocol.RATING, (0,), rating=rating, scale=SCALE)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.RATING, (0,), outcome=Outcome.SKIP, scale=SCALE)


class AcrTest(CategoryTest):
    """One clip, from bad to excellent."""

    type: Literal["acr"]
    asks: ClassVar[str] = "How good is this clip?"
