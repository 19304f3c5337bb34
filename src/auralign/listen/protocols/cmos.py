"""CMOS, the comparison category rating of ITU-T P.800 annex E."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from auralign.listen.protocols.ab import PairTest
from auralign.listen.protocols.questions import Option, Question, Reply
from auralign.listen.protocols.test_type import Dimension, Said
from auralign.types import Outcome, TrialProtocol

LABELS = {
    3: "Much better",
    2: "Better",
    1: "Slightly better",
    0: "About the same",
    -1: "Slightly worse",
    -2: "Worse",
    -3: "Much worse",
}
"""Of the second clip compared with the first, as they are presented."""


class CmosTest(PairTest):
    """Two clips; the second is rated against the first from -3 to 3. Both orders are used."""

    type: Literal["cmos"]
    asks: ClassVar[str] = "The quality of B compared to the quality of A is"

    def question(self, dimension: Dimension) -> Question:
        return Question(
            dimension.id,
            dimension.question,
            "choice",
            options=tuple(Option(value, label) for value, label in LABELS.items()),
            tags=dimension.tags,
            free_text=dimension.free_text,
            may_skip=self.may_skip,
        )

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        value = int(str(reply.value))
        outcome = Outcome.TIE if value == 0 else Outcome.B if value > 0 else Outcome.A
        yield Said(TrialProtocol.PAIR, (0, 1), outcome=outcome, strength=abs(value) or None)
