"""Examples of each kind under an objective: which clips to score, and the batch they make.

A task names the clips that an objective looks at in each example (their roles) and puts the scored
ones together as a batch of `losses`. What an objective needs and the examples do not hold is an
error before training begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auralign.data.examples import Example, TokenFeedback, TokenList, TokenPair
from auralign.errors import ConfigError, DataError, did_you_mean
from auralign.losses import OBJECTIVES, Clips, Lists, Loss, Need, Objective, Pairs, Unpaired
from auralign.losses.diagnostics import ranking_accuracy, share_above
from auralign.losses.online import ONLINE_OBJECTIVES
from auralign.losses.unpaired import RunningShift, mismatched_rows
from auralign.training.scoring import Asked, concatenate, take
from auralign.types import Prompt, Tokens

Batch = Pairs | Unpaired | Lists

FIELDS = {
    Need.P_CHOSEN: ("p_chosen",),
    Need.SCORES: ("chosen_score", "rejected_score", "scores"),
    Need.RARITY: ("chosen_score", "rejected_score"),
    Need.EMBEDDING: ("prompt_embedding",),
    Need.TOKEN_WEIGHTS: ("chosen_weights", "rejected_weights"),
    Need.GOLD: ("gold",),
    Need.LESSER: ("lesser",),
    Need.RATIONALE: ("rationale",),
}
"""Fields of an example without which a need cannot be met."""

COMPUTED = {
    Need.REFERENCE,
    Need.TOKENS,
    Need.TOKEN_KL,
    Need.COLLISION,
    Need.MISMATCHED,
    Need.OWN,
    Need.FROM_REFERENCE,
}
"""Needs that training meets by itself."""

STORED: dict[str, Objective] = OBJECTIVES | {
    name: entry for name, entry in ONLINE_OBJECTIVES.items() if entry.data == "pairs"
}
"""Objectives over stored examples; some look at fresh clips beside them."""

N_SCORE_BINS = 10
"""Bins of the histogram of scores, for an objective that weighs rare scores up."""


@dataclass(eq=False)
class Task(ABC):
    """Examples of one kind under one objective.

    drawn   clips of other origin, one for each example, by the need that they meet: what the policy
            (`Need.OWN`) or the reference (`Need.FROM_REFERENCE`) has sampled for its prompt
    """

    name: str
    examples: Sequence[Any]
    options: Mapping[str, Any]
    drawn: dict[Need, Sequence[Tokens]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for need in Need:
            if need in self.needs and need not in COMPUTED:
                self._require(need)

    def _require(self, need: Need) -> None:
        if need not in FIELDS:
            raise ConfigError(
                f"objective '{self.name}' needs {need}, which training on codes cannot give: call "
                "it in a loop of your own (`auralign.losses`), or choose another objective"
            )
        for i, example in enumerate(self.examples):
            lacking = [f for f in FIELDS[need] if getattr(example, f, "other kind") is None]
            if lacking:
                raise DataError(
                    f"example {i} (prompt '{example.prompt.id}') has no '{lacking[0]}', and "
                    f"objective '{self.name}' needs {need}: add it, or choose another objective"
                )

    @cached_property
    def objective(self) -> Objective:
        return STORED[self.name]

    @property
    def needs(self) -> frozenset[Need]:
        return self.objective.needs

    @property
    def prompts(self) -> list[Prompt]:
        return [example.prompt for example in self.examples]

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """`[examples]`."""
        return np.array([example.weight for example in self.examples])

    def loss(self, batch: Batch) -> Loss:
        return self.objective.bind(self.options)(batch)

    @abstractmethod
    def asked(self, row: int) -> dict[str, Asked]:
        """The clips to score of an example, by role."""

    @abstractmethod
    def batch(self, rows: Sequence[int], clips: Mapping[str, Clips]) -> Batch:
        """What the objective takes, from the scored clips of each role, `[rows]` each."""

    def observed(self, batch: Any) -> Any:
        """The batch of an update, with what training keeps from batch to batch."""
        return batch

    @abstractmethod
    def anchor(self, batch: Any) -> Tensor:
        """Negative log-likelihood of what was preferred, nats a code, `[rows]`."""

    @abstractmethod
    def gap(self, row: int) -> float | None:
        """How far apart an example's clips are, if it says; the further, the easier."""

    @abstractmethod
    def measures(self, batch: Any) -> dict[str, Tensor]:
        """What is logged beside the loss, `[items]` each, detached."""

    def group(self, row: int) -> int:
        """Examples of different groups never share a batch."""
        return 0

    def groups(self) -> list[list[int]]:
        """Rows of each group."""
        rows_of: dict[int, list[int]] = {}
        for row in range(len(self.examples)):
            rows_of.setdefault(self.group(row), []).append(row)
        return list(rows_of.values())

    def state(self) -> dict[str, Any]:
        """What changes from batch to batch, for a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most have no state
        """Takes up what `state` told."""


class PairTask(Task):
    """Pairs of clips."""

    examples: Sequence[TokenPair]

    def asked(self, row: int) -> dict[str, Asked]:
        pair = self.examples[row]
        asked = {
            "chosen": Asked(pair.prompt, pair.chosen, pair.chosen_weights),
            "rejected": Asked(pair.prompt, pair.rejected, pair.rejected_weights),
        }
        if Need.GOLD in self.needs and pair.gold is not None:
            asked["gold"] = Asked(pair.prompt, pair.gold)
        if Need.MISMATCHED in self.needs:
            asked["mismatched"] = Asked(pair.mismatched or self._other_prompt(row), pair.chosen)
        if Need.LESSER in self.needs and pair.lesser is not None:
            asked["lesser chosen"] = Asked(pair.lesser.prompt, pair.lesser.chosen)
            asked["lesser rejected"] = Asked(pair.lesser.prompt, pair.lesser.rejected)
        if Need.RATIONALE in self.needs and pair.rationale is not None:
            asked["rationale"] = Asked(*pair.rationale)
        for need, role in ((Need.OWN, "own"), (Need.FROM_REFERENCE, "from reference")):
            if need in self.needs:
                asked[role] = Asked(pair.prompt, self.drawn[need][row])
        return asked

    def _other_prompt(self, row: int) -> Prompt:
        """The next prompt that differs, going round; DataError when there is none."""
        own = self.examples[row].prompt
        n = len(self.examples)
        for other in (self.examples[(row + k) % n].prompt for k in range(1, n)):
            if (other.text, other.condition) != (own.text, own.condition):
                return other
        raise DataError(
            f"objective '{self.name}' needs a prompt that a clip does not fit, and all pairs have "
            f"the prompt '{own.id}': give 'mismatched' prompts"
        )

    def batch(self, rows: Sequence[int], clips: Mapping[str, Clips]) -> Pairs:
        pairs = [self.examples[i] for i in rows]
        device = clips["chosen"].logp.device
        lesser = None
        if "lesser chosen" in clips:
            lesser = Pairs(clips["lesser chosen"], clips["lesser rejected"])
        return Pairs(
            clips["chosen"],
            clips["rejected"],
            p_chosen=_column(pairs, "p_chosen", device),
            chosen_score=_column(pairs, "chosen_score", device),
            rejected_score=_column(pairs, "rejected_score", device),
            prompt_embedding=_column(pairs, "prompt_embedding", device),
            score_frequency=self._frequency[rows].to(device) if Need.RARITY in self.needs else None,
            gold=clips.get("gold"),
            mismatched=clips.get("mismatched"),
            lesser=lesser,
            rationale_logp=clips["rationale"].logp if "rationale" in clips else None,
            own=clips.get("own"),
            from_reference=clips.get("from reference"),
        )

    @cached_property
    def _frequency(self) -> Tensor:
        """Share of all pairs whose mean score lies in the same bin, `[pairs]`."""
        scores = [(p.chosen_score or 0.0) + (p.rejected_score or 0.0) for p in self.examples]
        counts, edges = np.histogram(scores, bins=N_SCORE_BINS)
        bins = np.digitize(scores, edges[1:-1])
        return torch.from_numpy(counts[bins] / len(scores)).float()

    def anchor(self, batch: Pairs) -> Tensor:
        return -batch.chosen.mean_logp

    def gap(self, row: int) -> float | None:
        """The gap of the scores, or the share of the votes where there are no scores."""
        pair = self.examples[row]
        if pair.chosen_score is not None and pair.rejected_score is not None:
            return pair.chosen_score - pair.rejected_score
        return pair.p_chosen

    def measures(self, batch: Pairs) -> dict[str, Tensor]:
        chosen, rejected = batch.chosen, batch.rejected
        found = {
            "ranking_accuracy": ranking_accuracy(batch),
            "chosen_logp": chosen.logp.detach(),
            "rejected_logp": rejected.logp.detach(),
        }
        if chosen.reference_logp is None:
            return found
        up, down = chosen.log_ratio.detach(), rejected.log_ratio.detach()
        return found | {
            "accuracy": share_above(up, down),
            "chosen_log_ratio": up,
            "rejected_log_ratio": down,
            "chosen_log_ratio_per_code": up / chosen.n_codes,
        }


class FeedbackTask(Task):
    """Single clips with a thumb up or down.

    The mismatched clips of KTO's reference point are each clip under the prompt of another one;
    BCO's shift runs over all batches so far.
    """

    examples: Sequence[TokenFeedback]
    _shift = RunningShift()

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = {feedback.desirable for feedback in self.examples}
        if self.name == "rpo_unpaired" and len(kinds) == 1:
            raise DataError(
                f"objective '{self.name}' contrasts liked clips with disliked ones, and all "
                f"{len(self.examples)} are {'' if kinds == {True} else 'dis'}liked: add the other "
                "kind, or choose an objective that looks at single clips, such as 'kto'"
            )

    def asked(self, row: int) -> dict[str, Asked]:
        feedback = self.examples[row]
        asked = {"clip": Asked(feedback.prompt, feedback.clip)}
        if Need.MISMATCHED in self.needs:
            partner = self.examples[self._partners[row]]
            asked["mismatched"] = Asked(partner.prompt, feedback.clip)
        if Need.FROM_REFERENCE in self.needs:
            drawn = self.drawn[Need.FROM_REFERENCE][row]
            asked["from reference"] = Asked(feedback.prompt, drawn)
        return asked

    @cached_property
    def _partners(self) -> list[int]:
        """For each clip another one, of another prompt where there are such."""
        ids = {prompt: i for i, prompt in enumerate(dict.fromkeys(self.prompts))}
        rows: list[int] = mismatched_rows(torch.tensor([ids[p] for p in self.prompts])).tolist()
        return rows

    def batch(self, rows: Sequence[int], clips: Mapping[str, Clips]) -> Unpaired:
        feedback = [self.examples[i] for i in rows]
        device = clips["clip"].logp.device
        return Unpaired(
            clips["clip"],
            torch.tensor([f.desirable for f in feedback], device=device),
            mismatched=clips.get("mismatched"),
            from_reference=clips.get("from reference"),
            prompt_embedding=_column(feedback, "prompt_embedding", device),
        )

    def observed(self, batch: Unpaired) -> Unpaired:
        if self.name != "bco":
            return batch
        beta = self.options.get("beta", self.objective.options["beta"])
        self._shift = self._shift.updated(batch, beta=beta)
        return Unpaired(batch.clips, batch.desirable, reward_shift=self._shift.value)

    def anchor(self, batch: Unpaired) -> Tensor:
        return torch.where(batch.desirable, -batch.clips.mean_logp, 0.0)

    def gap(self, row: int) -> None:
        """All thumbs are alike."""

    def measures(self, batch: Unpaired) -> dict[str, Tensor]:
        found = {"logp": batch.clips.logp.detach()}
        if batch.clips.reference_logp is None:
            return found
        ratio = batch.clips.log_ratio.detach()
        return found | {"signed_log_ratio": torch.where(batch.desirable, ratio, -ratio)}

    def state(self) -> dict[str, Any]:
        return {"totals": list(self._shift.totals), "counts": list(self._shift.counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._shift = RunningShift(tuple(state["totals"]), tuple(state["counts"]))


class ListTask(Task):
    """Lists of clips, best first; a batch holds lists of one length."""

    examples: Sequence[TokenList]

    def asked(self, row: int) -> dict[str, Asked]:
        ranked = self.examples[row]
        return {f"rank {k}": Asked(ranked.prompt, clip) for k, clip in enumerate(ranked.clips)}

    def batch(self, rows: Sequence[int], clips: Mapping[str, Clips]) -> Lists:
        size = len(clips)
        by_rank = concatenate([clips[f"rank {k}"] for k in range(size)])
        list_major = torch.arange(size * len(rows)).view(size, len(rows)).T.flatten()
        scores = _column([self.examples[i] for i in rows], "scores", by_rank.logp.device)
        return Lists(take(by_rank, list_major), size, scores=scores)

    def anchor(self, batch: Lists) -> Tensor:
        return -batch.by_list(batch.clips.mean_logp)[:, 0]

    def gap(self, row: int) -> float | None:
        """The score of the best less that of the worst."""
        scores = self.examples[row].scores
        return scores[0] - scores[-1] if scores else None

    def group(self, row: int) -> int:
        return len(self.examples[row].clips)

    def measures(self, batch: Lists) -> dict[str, Tensor]:
        logp = batch.by_list(batch.clips.logp)
        found = {"ranking_accuracy": share_above(logp[:, 0], logp[:, -1])}
        if batch.clips.reference_logp is None:
            return found
        ratio = batch.by_list(batch.clips.log_ratio.detach())
        return found | {
            "accuracy": share_above(ratio[:, 0], ratio[:, -1]),
            "chosen_log_ratio": ratio[:, 0],
            "rejected_log_ratio": ratio[:, -1],
        }


TASKS: dict[str, tuple[type[Task], type[Example]]] = {
    "pairs": (PairTask, TokenPair),
    "unpaired": (FeedbackTask, TokenFeedback),
    "lists": (ListTask, TokenList),
}


def task_of(name: str, examples: Sequence[Example], options: Mapping[str, Any]) -> Task:
    """The examples under the objective `name`.

    Raises ConfigError for an objective that is not known, an option that it does not take or a need
    that cannot be met; DataError without examples, for examples of another kind than the objective
    takes, for weights that are not finite or all zero, and where a field is lacking.
    """
    if name not in STORED:
        known = did_you_mean(name, STORED)
        raise ConfigError(
            f"expected an objective out of `auralign align --list-methods`, got '{name}'{known}"
        )
    if not examples:
        raise DataError("training needs at least one example and got none: collect judgements")
    STORED[name].bind(options)
    beta = options.get("beta", 1)
    if isinstance(beta, (int, float)) and not beta > 0:
        raise ConfigError(f"options.beta: expected a value greater than 0, got {beta:g}")
    kind, record = TASKS[STORED[name].data]
    other = next((e for e in examples if not isinstance(e, record)), None)
    if other is not None:
        raise DataError(
            f"objective '{name}' takes {STORED[name].data} ({record.__name__}), got "
            f"{type(other).__name__}: choose an objective for what you have"
        )
    task = kind(name, examples, options)
    if not np.isfinite(task.weights).all() or (task.weights < 0).any() or not task.weights.any():
        raise DataError("expected weights of examples that are finite, 0 or above, not all 0")
    return task


def _column(examples: Sequence[Any], name: str, device: torch.device) -> Tensor | None:
    """A field of all examples as float32 `[examples, ...]`; None where one lacks it."""
    values = [getattr(example, name) for example in examples]
    if any(value is None for value in values):
        return None
    return torch.from_numpy(np.array(values, dtype=np.float32)).to(device)
