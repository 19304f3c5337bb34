"""What a round was made of: its parts by their hashes, what listeners said, and its parent.

A round's hash covers all of it, its parent's hash too, so that two rounds of one hash have the same
history.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auralign.data.study import StudyFolder
from auralign.errors import RunStateError
from auralign.files import to_json
from auralign.types import Clip, Judgement, Prompt, Score, Tokens


@dataclass(frozen=True, slots=True)
class Sampled:
    """One clip as it was drawn, codes `[codebook, time]`; `system` says from what."""

    prompt: Prompt
    tokens: Tokens
    system: str


@dataclass(frozen=True, eq=False)
class Candidates:
    """Different clips with their prompts and codes; the study is what listeners are given."""

    study: StudyFolder
    prompts: Mapping[str, Prompt]
    clips: Sequence[Clip]
    tokens: Mapping[str, Tokens]

    def by_prompt(self) -> dict[str, list[Clip]]:
        """Prompt id -> its clips, in the order in which they were drawn."""
        found: dict[str, list[Clip]] = {}
        for clip in self.clips:
            found.setdefault(clip.prompt_id, []).append(clip)
        return found

    def asked(self, clips: Sequence[Clip]) -> tuple[list[Prompt], list[Tokens]]:
        """The prompt and the codes of each clip."""
        prompts = [self.prompts[clip.prompt_id] for clip in clips]
        return prompts, [self.tokens[clip.id] for clip in clips]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What was said of candidates: answers of listeners and judges, scores of rewards."""

    judgements: Sequence[Judgement] = ()
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How often clips are preferred to those of the policy before round 1, on prompts kept apart.

    preference   mean over prompts, 0.5 where listeners cannot tell
    error        its standard error over prompts; NaN for a single one
    """

    preference: float
    error: float
    n_prompts: int
    measures: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, shares: Sequence[float], measures: Mapping[str, float] | None = None) -> HeldOut:
        """From the preference on each prompt `[prompts]`."""
        n = len(shares)
        error = float(np.std(shares, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
        return cls(float(np.mean(shares)), error, n, measures or {})


@dataclass(frozen=True, slots=True)
class Round:
    """One cycle of generating, judging and training, after it was evaluated.

    number       from 1 on
    parent       hash of the round that it goes on from, or of rounds.json
    start        hash of the weights that it began with; `reference` and `policy`, those after it
    names        what drew, judged, paired and trained, in the words of who ran it
    candidates   hash of prompts, clips and codes; `votes` and `pairs`, of what came of them
    counts       of prompts, candidates, judgements and scores; of the pairs that were trained on
                 the own, the reused and the hacked ones
    training     what training measured last
    """

    number: int
    parent: str
    start: str
    reference: str
    names: Mapping[str, str]
    candidates: str
    votes: str
    pairs: str
    policy: str
    counts: Mapping[str, int]
    training: Mapping[str, float]
    held_out: HeldOut

    @property
    def hash(self) -> str:
        return hash_of(self)

    @classmethod
    def from_json(cls, about: Mapping[str, Any], where: str) -> Round:
        """What `folder.RoundFolder.write_record` wrote; RunStateError for anything else."""
        try:
            parts = {k: v for k, v in about.items() if k != "hash"}
            held_out = HeldOut(**_numbers(about["held_out"]))
            found = cls(**{**parts, "held_out": held_out, "training": _numbers(about["training"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise RunStateError(f"{where}: expected the record of a round: {error}") from None
        if found.hash != about.get("hash"):
            raise RunStateError(
                f"{where}: expected the record as it was written, but it does not have its own "
                "hash: restore it, or remove the folder of this round to run it again"
            )
        return found


def candidates_hash(candidates: Candidates) -> str:
    """Of prompts, clips and codes, in their order."""
    codes = [_array_hash(candidates.tokens[clip.id]) for clip in candidates.clips]
    return hash_of([list(candidates.prompts.values()), list(candidates.clips), codes])


def hash_of(value: Any) -> str:
    """SHA-256 of the value's JSON with sorted keys."""
    return hashlib.sha256(to_json(value, sort_keys=True).encode()).hexdigest()


def _array_hash(tokens: Tokens) -> str:
    head = f"{tokens.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(tokens, np.int64).tobytes()).hexdigest()


def _numbers(value: Any) -> Any:
    """JSON has null where a number was not finite."""
    if isinstance(value, Mapping):
        return {key: _numbers(item) for key, item in value.items()}
    return math.nan if value is None else value
