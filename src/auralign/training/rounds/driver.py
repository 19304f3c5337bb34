"""Rounds: generate, annotate, curate, train, evaluate, and again with the policy that came of it.

    for each round:
        candidates of the policy as it is, for prompts of their own
        what listeners, a judge or a reward say of them
        pairs, by a named rule; those of earlier rounds only where asked; hacked clips as rejected
        training on them, from where the last round ended
        held-out preference against the policy before round 1
    stop when that no longer rises; keep the best round, not the last

Each step is written whole before the next one reads it from the disk. Everything random stems from
the seed, the round and the step, so that rounds that were stopped give the result of unbroken ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from auralign.data.config import StrictModel
from auralign.data.examples import TokenPair
from auralign.errors import DataError, RunStateError
from auralign.files import write_json
from auralign.training.checkpoints import examples_hash
from auralign.training.rounds.context import (
    Annotate,
    Curate,
    Decode,
    Draw,
    Evaluate,
    RoundContext,
    RoundPolicy,
    Train,
)
from auralign.training.rounds.examples import RoundExamples, examples_of
from auralign.training.rounds.folder import RoundFolder, hash_in, read_json, require_parent
from auralign.training.rounds.records import Round, candidates_hash, hash_of
from auralign.training.rounds.stopping import best_round, stop_reason
from auralign.types import Prompt

Prompts = Callable[[int], Sequence[Prompt]]
"""The prompts of a round, by its number."""
Watch = Callable[[int, str], None]
"""Told the round and the step that begins."""


class RoundSettings(StrictModel):
    """How rounds follow each other.

    reference     of training: `first`, the policy before round 1, in every round; or
                  `round_start`, the policy as the round found it, which lets it move on
    reuse_pairs   train on the pairs of all earlier rounds, too; published rounds do not
    patience      rounds without a rise of held-out preference by more than its standard error
                  after which no further one is run; None runs all
    """

    n_rounds: int = Field(ge=1)
    reference: Literal["first", "round_start"] = "first"
    reuse_pairs: bool = False
    patience: int | None = Field(default=2, ge=1)


@dataclass(frozen=True)
class Methods:
    """The steps of a round.

    names       what they are called in the records, such as "annotator" -> "panel of 24"; rounds
                that were begun under other names are not gone on with
    decode      codes to audio, for candidates that somebody listens to
    simulated   whether the listeners are programs
    """

    draw: Draw
    annotate: Annotate
    curate: Curate
    train: Train
    evaluate: Evaluate
    names: Mapping[str, str]
    decode: Decode | None = None
    simulated: bool = False


@dataclass(frozen=True)
class RoundsResult:
    """All rounds; the policy holds the weights of round `best`, 0 for those before round 1."""

    rounds: list[Round]
    best: int
    stopped: str | None


def run_rounds(
    policy: RoundPolicy,
    prompts: Prompts,
    methods: Methods,
    folder: Path,
    settings: RoundSettings,
    *,
    seed: int = 0,
    watch: Watch = lambda number, step: None,
) -> RoundsResult:
    """Runs the rounds that are not there yet and leaves `policy` with the weights of the best one.

    Raises WaitingForVotes where people have to answer first: run the same rounds again when they
    have. Raises RunStateError for a folder of other rounds or a policy that is not the one they
    began with, DataError for a round without pairs, and what the steps raise.
    """
    run = _Run(policy, policy.frozen_copy(), prompts, methods, folder, settings, seed, watch)
    parent = run.open()
    rounds: list[Round] = []
    stopped = None
    while len(rounds) < settings.n_rounds and stopped is None:
        rounds.append(run.round(len(rounds) + 1, parent))
        parent = rounds[-1].hash
        stopped = stop_reason([r.held_out for r in rounds], settings.patience)
    best = best_round([r.held_out for r in rounds])
    run.give_weights(best)
    return RoundsResult(rounds, best, stopped)


@dataclass(frozen=True, eq=False)
class _Run:
    """Rounds in progress; fields as the arguments of `run_rounds`."""

    policy: RoundPolicy
    first: RoundPolicy
    prompts: Prompts
    methods: Methods
    folder: Path
    settings: RoundSettings
    seed: int
    watch: Watch

    def open(self) -> str:
        """Hash of what all rounds begin with, which a folder that is there must have."""
        # The number of rounds and the patience may be changed later: no round depends on them.
        origin = {
            "policy": self.policy.weights_hash(),
            "reference": self.settings.reference,
            "reuse_pairs": self.settings.reuse_pairs,
            "names": dict(self.methods.names),
            "seed": self.seed,
        }
        path = self.folder / "rounds.json"
        if not path.exists():
            write_json(path, {**origin, "hash": hash_of(origin)})
        elif hash_in(self.folder) != hash_of(origin):
            stored = read_json(path)
            differing = ", ".join(key for key in origin if stored.get(key) != origin[key])
            raise RunStateError(
                f"{path}: expected the rounds that were begun here, got others ({differing} "
                "differ): restore what it was, or choose another folder"
            )
        return hash_of(origin)

    def round(self, number: int, parent: str) -> Round:
        """One round, from the first step of it that is not there yet."""
        folder = RoundFolder(self.folder, number)
        if folder.has("round.json"):
            record = folder.record()
            require_parent(record, parent, folder)
            return record
        context = self.context(number, folder)
        start = self.policy.weights_hash()
        self.generate(folder, context)
        self.annotate(folder, context)
        self.curate(folder, context)
        training = self.train(folder, context)
        self.watch(number, "evaluate")
        held_out = self.methods.evaluate(context)
        record = Round(
            number=number,
            parent=parent,
            start=start,
            reference=context.reference.weights_hash(),
            names=dict(self.methods.names),
            candidates=candidates_hash(folder.candidates()),
            votes=hash_of(folder.votes()),
            pairs=hash_of([folder.pairs(), examples_hash(folder.examples())]),
            policy=self.policy.weights_hash(),
            counts=self.counts(folder),
            training=training,
            held_out=held_out,
        )
        folder.write_record(record)
        return record

    def context(self, number: int, folder: RoundFolder) -> RoundContext:
        """The policy as the round before left it."""
        self.give_weights(number - 1)
        moving = self.settings.reference == "round_start"
        return RoundContext(
            number=number,
            seed=self.seed,
            policy=self.policy,
            reference=self.policy.frozen_copy() if moving else self.first,
            first=self.first,
            folder=folder.path,
            folder_before=folder.before[-1].path if folder.before else None,
        )

    def give_weights(self, number: int) -> None:
        """The policy as round `number` left it; 0 is before round 1."""
        if number:
            RoundFolder(self.folder, number).load_policy(self.policy)
        else:
            self.policy.model.load_state_dict(self.first.model.state_dict())

    def generate(self, folder: RoundFolder, context: RoundContext) -> None:
        if folder.has("candidates"):
            return
        self.watch(context.number, "generate")
        sampled = self.methods.draw(self.prompts(context.number), context)
        decode, simulated = self.methods.decode, self.methods.simulated
        folder.write_candidates(sampled, decode, simulated=simulated)

    def annotate(self, folder: RoundFolder, context: RoundContext) -> None:
        if not folder.has("votes"):
            self.watch(context.number, "annotate")
            folder.write_votes(self.methods.annotate(folder.candidates(), context))

    def curate(self, folder: RoundFolder, context: RoundContext) -> None:
        if not folder.has("pairs.parquet"):
            self.watch(context.number, "curate")
            pairs = self.methods.curate(folder.candidates(), folder.votes(), context)
            folder.write_pairs(pairs)
        if not folder.has("examples.parquet"):
            folder.write_examples(self.trained_on(folder))

    def examples(self, folder: RoundFolder) -> RoundExamples:
        """What is trained on, by where it comes from."""
        return examples_of(folder, reuse=self.settings.reuse_pairs)

    def counts(self, folder: RoundFolder) -> dict[str, int]:
        candidates, votes, examples = folder.candidates(), folder.votes(), self.examples(folder)
        return {
            "n_prompts": len(candidates.prompts),
            "n_candidates": len(candidates.clips),
            "n_judgements": len(votes.judgements),
            "n_scores": len(votes.scores),
            "n_pairs": len(examples.own),
            "n_reused": len(examples.reused),
            "n_hacked": len(examples.hacked),
        }

    def trained_on(self, folder: RoundFolder) -> list[TokenPair]:
        """Own, reused and hacked pairs; DataError where there is none."""
        found = self.examples(folder).all
        if not found:
            raise DataError(
                f"{folder.path}: expected pairs to train on, got none from "
                f"{len(folder.candidates().clips)} candidates: sample more for each prompt, or "
                "choose a rule that keeps closer pairs"
            )
        return found

    def train(self, folder: RoundFolder, context: RoundContext) -> Mapping[str, float]:
        """Trains, or takes the weights that are there; what training measured last."""
        if not folder.has("policy"):
            self.watch(context.number, "train")
            measures = self.methods.train(folder.examples(), context)
            folder.write_policy(self.policy, measures)
        return folder.load_policy(self.policy)
