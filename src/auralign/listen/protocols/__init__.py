"""The types of test; a module of its own says what each asks and what its answers say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from auralign.listen.protocols.ab import AbTest
from auralign.listen.protocols.abx import AbxTest
from auralign.listen.protocols.acr import AcrTest
from auralign.listen.protocols.arena import ArenaTest
from auralign.listen.protocols.best_worst import BestWorstTest
from auralign.listen.protocols.checklist import ChecklistTest
from auralign.listen.protocols.cmos import CmosTest
from auralign.listen.protocols.dcr import DcrTest
from auralign.listen.protocols.dialogue import DialogueTest
from auralign.listen.protocols.multi_stimulus import MultiStimulusTest
from auralign.listen.protocols.mushra import MushraTest
from auralign.listen.protocols.p835 import P835Test
from auralign.listen.protocols.questions import Question, Reply, check_replies
from auralign.listen.protocols.ranking import RankingTest
from auralign.listen.protocols.test_type import (
    Condition,
    Dimension,
    Said,
    Stimulus,
    TestType,
)
from auralign.listen.protocols.thumbs import ThumbsTest

AnyTest = Annotated[
    AbTest
    | AbxTest
    | AcrTest
    | ArenaTest
    | BestWorstTest
    | ChecklistTest
    | CmosTest
    | DcrTest
    | DialogueTest
    | MultiStimulusTest
    | MushraTest
    | P835Test
    | RankingTest
    | ThumbsTest,
    Field(discriminator="type"),
]

__all__ = [
    "AnyTest",
    "Condition",
    "Dimension",
    "Question",
    "Reply",
    "Said",
    "Stimulus",
    "TestType",
    "check_replies",
]
