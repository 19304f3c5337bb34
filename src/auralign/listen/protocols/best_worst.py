"""Best-worst scaling: the best and the worst of a few clips (Louviere & Woodworth 1990)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from auralign.listen.protocols.questions import BestWorst, Question, Reply
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Said,
    Stimulus,
    TestType,
    sets_of,
)
from auralign.types import Outcome, TrialProtocol


class BestWorstTest(TestType):
    """Sets of `set_size` clips of one prompt; all sets are used equally often."""

    type: Literal["best_worst"]
    set_size: int = Field(default=4, ge=3, le=6)
    asks: ClassVar[str] = "Which one is the best, which one the worst?"

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "best_worst",
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return sets_of(stimuli, self.set_size)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        assert isinstance(reply.value, BestWorst), "checked against the question"
        chosen = (reply.value.best, reply.value.worst)
        yield Said(TrialProtocol.BEST_WORST, tuple(range(n_stimuli)), ranking=chosen)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.BEST_WORST, tuple(range(n_stimuli)), outcome=Outcome.SKIP)
