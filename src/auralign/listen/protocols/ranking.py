"""Ranking: all clips of a prompt, from the best to the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from auralign.listen.protocols.questions import Question, Reply
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Said,
    Stimulus,
    TestType,
    sets_of,
)
from auralign.types import Outcome, TrialProtocol


class RankingTest(TestType):
    """Sets of `set_size` clips of one prompt, or all of its clips."""

    type: Literal["ranking"]
    set_size: int | None = Field(default=None, ge=3, le=10)
    asks: ClassVar[str] = "Put the clips in order, the best first."

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "ranking",
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return sets_of(stimuli, self.set_size)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        assert isinstance(reply.value, tuple), "checked against the question"
        order = tuple(int(place) for place in reply.value)
        yield Said(TrialProtocol.RANKING, tuple(range(n_stimuli)), ranking=order)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.RANKING, tuple(range(n_stimuli)), outcome=Outcome.SKIP)
