"""Rounds on the disk. A step is there whole or not at all, so that a stopped run goes on.

rounds.json          what all rounds begin with
round-01/
  candidates/        study/ for listeners, and tokens.npz with the codes of its clips
  votes/             judgements.parquet and scores.parquet as they were trained on
  pairs.parquet      preference pairs by clip id, with their rule
  examples.parquet   what was trained on, with codes: those pairs, reused and hacked ones
  policy/            weights.safetensors and training.json
  held_out/          clips for the listeners who compare, if the evaluation asks some
  hacked.jsonl       of a guard: rejected in the next round
  round.json         the record; a round is done when it is there
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auralign.data.example_files import read_examples, write_examples
from auralign.data.examples import TokenPair
from auralign.data.formats import JUDGEMENTS, PAIRS, SCORES
from auralign.data.tables import read_table, write_table
from auralign.errors import RunStateError
from auralign.files import atomic_dir, to_json, write_json
from auralign.policies.weights import HasModel, load_weights, save_weights
from auralign.training.guard.watch import HACKED_FILE
from auralign.training.rounds.candidates import read_candidates, write_candidates
from auralign.training.rounds.context import Decode
from auralign.training.rounds.records import Annotation, Candidates, Round, Sampled
from auralign.types import PreferencePair


@dataclass(frozen=True, slots=True)
class RoundFolder:
    """A handle on the folder of one round of the folder `rounds`."""

    rounds: Path
    number: int

    @property
    def path(self) -> Path:
        return self.rounds / f"round-{self.number:02d}"

    @property
    def before(self) -> list[RoundFolder]:
        """The rounds before it, in order."""
        return [RoundFolder(self.rounds, number) for number in range(1, self.number)]

    def has(self, step: str) -> bool:
        """Whether a step, or the record of the round, has been written."""
        return (self.path / step).exists()

    def write_candidates(
        self, sampled: Sequence[Sampled], decode: Decode | None, *, simulated: bool
    ) -> None:
        name = f"candidates of {self.path.name}"
        path = self.path / "candidates"
        write_candidates(path, sampled, decode, name=name, simulated=simulated)

    def candidates(self) -> Candidates:
        return read_candidates(self.path / "candidates")

    def write_votes(self, votes: Annotation) -> None:
        with atomic_dir(self.path / "votes") as aside:
            write_table(JUDGEMENTS, votes.judgements, aside / "judgements.parquet")
            write_table(SCORES, votes.scores, aside / "scores.parquet")

    def votes(self) -> Annotation:
        return Annotation(
            read_table(JUDGEMENTS, self.path / "votes" / "judgements.parquet"),
            read_table(SCORES, self.path / "votes" / "scores.parquet"),
        )

    def write_pairs(self, pairs: Sequence[PreferencePair]) -> None:
        write_table(PAIRS, pairs, self.path / "pairs.parquet")

    def pairs(self) -> list[PreferencePair]:
        return read_table(PAIRS, self.path / "pairs.parquet")

    def write_examples(self, examples: Sequence[TokenPair]) -> None:
        write_examples(examples, self.path / "examples.parquet")

    def examples(self) -> list[TokenPair]:
        return pairs_in(self.path / "examples.parquet")

    def hacked(self) -> list[TokenPair]:
        """What a guard found in this round; nothing where there was none."""
        return pairs_in(self.path / HACKED_FILE) if self.has(HACKED_FILE) else []

    def write_policy(self, policy: HasModel, training: Mapping[str, float]) -> None:
        with atomic_dir(self.path / "policy") as aside:
            save_weights(policy.model, aside / "weights.safetensors")
            write_json(aside / "training.json", training)

    def load_policy(self, policy: HasModel) -> dict[str, float]:
        """Gives the policy the weights after this round, and says what training measured."""
        load_weights(policy.model, self.path / "policy" / "weights.safetensors")
        measures: dict[str, float] = read_json(self.path / "policy" / "training.json")
        return measures

    def write_record(self, record: Round) -> None:
        document = {**json.loads(to_json(record)), "hash": record.hash}
        write_json(self.path / "round.json", document)

    def record(self) -> Round:
        path = self.path / "round.json"
        return Round.from_json(read_json(path), str(path))


def read_rounds(path: Path) -> list[Round]:
    """The finished rounds of a folder, in order.

    Raises RunStateError for a folder without rounds.json, a broken record, or one whose parent is
    not the round before it.
    """
    parent = hash_in(path)
    found: list[Round] = []
    while (folder := RoundFolder(path, len(found) + 1)).has("round.json"):
        record = folder.record()
        require_parent(record, parent, folder)
        found.append(record)
        parent = record.hash
    return found


def hash_in(path: Path) -> str:
    """The hash of what all rounds of the folder begin with."""
    about = read_json(path / "rounds.json")
    if not isinstance(about, dict) or "hash" not in about:
        raise RunStateError(f"{path}/rounds.json: expected what rounds begin with, got no hash")
    return str(about["hash"])


def require_parent(record: Round, parent: str, folder: RoundFolder) -> None:
    """Raise RunStateError for a round that goes on from another one than this."""
    if record.parent != parent:
        raise RunStateError(
            f"{folder.path}/round.json: expected a round that goes on from {parent[:12]}, got one "
            f"of {record.parent[:12]}: an earlier round was made anew, so remove this one too"
        )


def held_out_table(rounds: Sequence[Round]) -> list[dict[str, float]]:
    """One row for each round: what listeners preferred and what it was made of."""
    return [
        {
            "round": r.number,
            "held_out_preference": r.held_out.preference,
            "held_out_preference_error": r.held_out.error,
            **r.counts,
            **r.held_out.measures,
        }
        for r in rounds
    ]


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunStateError(f"{path}: expected a file of rounds, got '{reason}'") from None
    except ValueError as error:
        raise RunStateError(f"{path}: expected JSON: {error}") from None


def pairs_in(path: Path) -> list[TokenPair]:
    """The pairs in a file of examples."""
    return [example for example in read_examples(path) if isinstance(example, TokenPair)]
