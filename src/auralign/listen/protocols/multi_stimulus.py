"""Several clips of one prompt on one continuous scale, without a reference (ITU-R BS.2132)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from auralign.listen.protocols.questions import Question, Reply, Scale
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Said,
    Stimulus,
    TestType,
    sets_of,
)
from auralign.types import Outcome, TrialProtocol

BANDS = ("Bad", "Poor", "Fair", "Good", "Excellent")
SCALE = (0.0, 100.0)


class SlidersTest(TestType):
    """A slider from 0 to 100 for each clip."""

    asks: ClassVar[str] = "How good is each clip?"

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "scale",
            scale=Scale(*SCALE, BANDS),
            each_stimulus=True,
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        return sets_of(stimuli, None)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        assert isinstance(reply.value, tuple), "checked against the question"
        for i, rating in enumerate(reply.value):
            yield Said(TrialProtocol.RATING, (i,), rating=float(rating), scale=SCALE)

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        for i in range(n_stimuli):
            yield Said(TrialProtocol.RATING, (i,), outcome=Outcome.SKIP, scale=SCALE)


class MultiStimulusTest(SlidersTest):
    """All systems of a prompt at once, and nothing that tells how they should sound."""

    type: Literal["multi_stimulus"]
