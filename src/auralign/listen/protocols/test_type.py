"""What all types of test have in common.

A type says which sets of clips make its conditions, in which orders they may be presented, what is
asked about them and what a reply says in terms of `Judgement`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from auralign.data import StrictModel
from auralign.errors import ConfigError
from auralign.listen.design.latin_square import Orders, latin_square
from auralign.listen.protocols.questions import Question, Reply
from auralign.types import Outcome, TrialProtocol

Role = Literal["system", "reference", "anchor", "headphones"]
Labels = Literal["letters", "abx"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A clip of the study, as the design sees it."""

    clip_id: str
    prompt_id: str
    system: str
    role: Role


@dataclass(frozen=True, slots=True)
class Condition:
    """A set of clips that is judged together; `reference` is one that is named to listeners."""

    prompt_id: str
    clips: tuple[str, ...]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What one reply says about some of the stimuli, as indices of those presented."""

    protocol: TrialProtocol
    stimuli: tuple[int, ...]
    outcome: Outcome | None = None
    rating: float | None = None
    scale: tuple[float, float] | None = None
    ranking: tuple[int, ...] | None = None
    strength: int | None = None
    context: Mapping[str, str] = field(default_factory=dict)


class Dimension(StrictModel):
    """One question of a study: an axis of judgement.

    strength   labels of how much better, the weakest first; only where two clips are compared
    tags       reasons to tick; with free_text a reason may also be written
    """

    id: str = Field(pattern="^[a-z][a-z0-9_]*$", max_length=60)
    question: str = Field(min_length=1, max_length=500)
    strength: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    free_text: bool = False


class TestType(StrictModel):
    """Base of the types of test; a type's options are its fields in `test.yaml`."""

    # Not a test of ours, whatever its name begins with.
    __test__: ClassVar[bool] = False
    labels: ClassVar[Labels] = "letters"
    asks: ClassVar[str] = ""
    hides_reference: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False
    checkable: ClassVar[bool] = False
    descriptive: ClassVar[bool] = False
    compares_two: ClassVar[bool] = False

    dimensions: tuple[Dimension, ...] = ()
    may_skip: bool = False

    def asked(self) -> tuple[Dimension, ...]:
        """The dimensions of the study; `overall` where it names none."""
        return self.dimensions or (Dimension(id="overall", question=self.asks),)

    def question(self, dimension: Dimension) -> Question:
        """What is asked on one dimension."""
        raise NotImplementedError

    def questions(self) -> tuple[Question, ...]:
        return tuple(map(self.question, self.asked()))

    def question_orders(self) -> tuple[tuple[int, ...], ...]:
        """Orders of the questions, of which each listener keeps one.

        The dimensions rotate between listeners; `overall` comes last, where the others are fresh.
        """
        names = [dimension.id for dimension in self.asked()]
        first = [i for i, name in enumerate(names) if name != "overall"]
        last = tuple(i for i, name in enumerate(names) if name == "overall")
        turns = [(*first[k:], *first[:k]) for k in range(max(1, len(first)))]
        return tuple((*turn, *last) for turn in turns)

    def conditions(self, stimuli: Sequence[Stimulus]) -> list[Condition]:
        """The sets of clips to judge; ConfigError where the clips make none."""
        raise NotImplementedError

    def orders(self, n_clips: int) -> Orders:
        """The orders of presentation that are used equally often."""
        return latin_square(n_clips)

    def say(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        """What a reply that fits its question says; a skip is said of the whole trial."""
        if reply.value is None:
            yield from self.skip(n_stimuli)
        else:
            yield from self.read(question, reply, n_stimuli)

    def read(self, question: Question, reply: Reply, n_stimuli: int) -> Iterator[Said]:
        raise NotImplementedError

    def skip(self, n_stimuli: int) -> Iterator[Said]:
        raise NotImplementedError


def by_prompt(stimuli: Sequence[Stimulus], role: Role = "system") -> dict[str, dict[str, str]]:
    """Prompt -> system -> clip id, of the stimuli with one role."""
    found: dict[str, dict[str, str]] = {}
    for stimulus in stimuli:
        if stimulus.role == role:
            found.setdefault(stimulus.prompt_id, {})[stimulus.system] = stimulus.clip_id
    return found


def single_clips(stimuli: Sequence[Stimulus]) -> list[Condition]:
    """Every clip of a system on its own."""
    return [
        Condition(prompt, (clip,))
        for prompt, clips in by_prompt(stimuli).items()
        for clip in clips.values()
    ]


def sets_of(stimuli: Sequence[Stimulus], size: int | None) -> list[Condition]:
    """For each prompt all sets of `size` systems' clips, or the set of all of them.

    Raises ConfigError when no prompt has enough systems, or one has more than there are letters.
    """
    sets = [
        Condition(prompt, chosen)
        for prompt, clips in by_prompt(stimuli).items()
        for chosen in itertools.combinations(clips.values(), size or len(clips))
        if len(chosen) > 1
    ]
    if any(len(made.clips) > len(LETTERS) for made in sets):
        raise ConfigError(
            f"at most {len(LETTERS)} clips can be presented together: leave systems out, or give a "
            "set_size where the type of test has one"
        )
    if not sets:
        raise ConfigError(
            f"expected a prompt with clips of {size or 2} systems or more to present together, "
            "found none: check the clips"
        )
    return sets


def with_references(
    conditions: Sequence[Condition], stimuli: Sequence[Stimulus]
) -> list[Condition]:
    """The conditions with the reference of their prompt, named to listeners.

    Raises ConfigError for a prompt without a reference.
    """
    references = by_prompt(stimuli, "reference")
    missing = sorted({c.prompt_id for c in conditions} - set(references))
    if missing:
        raise ConfigError(
            f"prompt '{missing[0]}' has no reference clip, which this type of test needs: "
            "add one and name its system in clips.reference"
        )
    return [
        Condition(c.prompt_id, c.clips, next(iter(references[c.prompt_id].values())))
        for c in conditions
    ]
