"""ABX: which of two clips is the third one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from auralign.listen.design.latin_square import Orders
from auralign.listen.protocols.ab import PairTest
from auralign.listen.protocols.questions import Option, Question, Reply
from auralign.listen.protocols.test_type import Dimension, Labels, Said
from auralign.types import Outcome, TrialProtocol


class AbxTest(PairTest):
    """Two clips and X, which is one of them. It tells whether they differ, not which is better."""

    type: Literal["abx"]
    labels: ClassVar[Labels] = "abx"
    asks: ClassVar[str] = "Which one is the same as X?"
    descriptive: ClassVar[bool] = True
    checkable: ClassVar[bool] = False

    def asked(self) -> tuple[Dimension, ...]:
        return self.dimensions or (Dimension(id="same_as_x", question=self.asks),)

    def choices(self) -> tuple[Option, ...]:
        return (Option("A", "A is X"), Option("B", "B is X"))

    def orders(self, n_clips: int) -> Orders:
        """Both clips come first equally often, and each is X equally often on either side."""
        return ((0, 1, 0), (1, 0, 0), (0, 1, 1), (1, 0, 1))

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        yield Said(TrialProtocol.PAIR, (0, 1), outcome=Outcome(str(reply.value)))
