"""One sequence of vocabulary ids after a prompt: its logits, and samples of it.

Prompts of one batch are padded on the left, so that all responses begin at one position; padding
is masked and positions are counted from each prompt's own first id. What follows a response on the
right needs no mask, because attention is causal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PromptBlock:
    """Prompts as the model reads them.

    ids        int64 [batch, prompt], padded on the left
    attended   int64 [batch, prompt], 0 at padding
    features   what else the model takes with a prompt, such as mel frames, by argument name
    """

    ids: Tensor
    attended: Tensor
    features: dict[str, Tensor]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], device: torch.device) -> PromptBlock:
        """Ids of each prompt, at least one, padded with id 0."""
        longest = max(len(row) for row in rows)
        padded = [[0] * (longest - len(row)) + list(row) for row in rows]
        attended = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        return cls(
            torch.tensor(padded, device=device), torch.tensor(attended, device=device), features={}
        )

    def followed_by(self, ids: Tensor) -> PromptBlock:
        """With further ids `[batch, ids]` behind each prompt."""
        attended = torch.nn.functional.pad(self.attended, (0, ids.shape[1]), value=1)
        return PromptBlock(torch.cat([self.ids, ids], dim=1), attended, self.features)


def response_logits(model: Any, prompt: PromptBlock, response: Tensor, **options: int) -> Tensor:
    """Logits `[batch, response, vocabulary]` that predict `response` `[batch, response]`.

    `options` go to the model as they are, such as `logits_to_keep`.
    """
    out = model(**_inputs(prompt, response), **prompt.features, **options)
    logits: Tensor = out.logits[:, -response.shape[1] :]
    return logits


def response_states(decoder: Any, prompt: PromptBlock, response: Tensor) -> Tensor:
    """Hidden states `[batch, response, width]` from which a model's head predicts `response`."""
    out = decoder(**_inputs(prompt, response))
    states: Tensor = out.last_hidden_state[:, -response.shape[1] :]
    return states


def _inputs(prompt: PromptBlock, response: Tensor) -> dict[str, Any]:
    """What a model is called with to predict every id of a response."""
    inputs = {
        "input_ids": torch.cat([prompt.ids, response[:, :-1]], dim=1),
        "use_cache": False,
    }
    if prompt.attended.all() and not prompt.features:
        return inputs  # without a mask, attention is computed by the fastest kernel
    attended = torch.nn.functional.pad(prompt.attended, (0, response.shape[1] - 1), value=1)
    return inputs | {"attention_mask": attended, "position_ids": _positions(attended)}


@torch.no_grad()
def sample_responses(
    model: Any,
    prompt: PromptBlock,
    choices: Callable[[int], Tensor],
    *,
    end_id: int,
    max_ids: int,
    temperature: float,
    generator: torch.Generator,
    **options: int,
) -> tuple[list[Tensor], list[bool]]:
    """For each prompt the ids before the end, on the CPU, and whether the end came.

    `choices(position)` are the ids that may come at a position of the response, int64 `[choices]`;
    `options` go to the model as they are. A response that has ended leaves the batch. Each has
    random numbers of its own, one for each position, so that it depends neither on the other
    prompts nor on when their responses end.
    """
    n, device = len(prompt.ids), prompt.ids.device
    uniform = uniform_draws((n, max_ids), generator, device)
    responses = torch.empty((n, max_ids), dtype=torch.int64, device=device)
    lengths = torch.full((n,), max_ids, device=device)
    alive = torch.arange(n, device=device)
    reader = _Reader(model, prompt, options)
    logits = reader.read(prompt.ids, **prompt.features)
    for position in range(max_ids):
        ids = choices(position)
        picked = ids[pick(logits.index_select(1, ids), temperature, uniform[alive, position])]
        responses[alive, position] = picked
        going = picked != end_id
        if not going.all():
            lengths[alive[~going]] = position
            rows = _closing_up(going)
            alive, picked = alive[rows], picked[rows]
            reader.keep(rows)
        if len(alive) == 0 or position + 1 == max_ids:
            break
        logits = reader.read(picked[:, None])
    written = zip(responses.cpu(), lengths.tolist(), strict=True)
    return [row[:length] for row, length in written], (lengths < max_ids).tolist()


class _Reader:
    """A model that reads prompts, and then one more id of each response at a time."""

    def __init__(self, model: Any, prompt: PromptBlock, options: dict[str, int]) -> None:
        self.model, self.options = model, options
        bare = bool(prompt.attended.all()) and not prompt.features
        self.attended = None if bare else prompt.attended
        self.places = _positions(prompt.attended)
        self.cache: Any = None

    def read(self, ids: Tensor, **features: Tensor) -> Tensor:
        """Logits `[batch, vocabulary]` after `ids` `[batch, new]`."""
        out = self.model(
            input_ids=ids,
            attention_mask=self.attended,
            position_ids=self.places,
            past_key_values=self.cache,
            use_cache=True,
            **features,
            **self.options,
        )
        if self.cache is None:
            from auralign.policies.kv_cache import give_room

            give_room(out.past_key_values)
        self.cache = out.past_key_values
        self.places = self.places[:, -1:] + 1
        if self.attended is not None:
            self.attended = torch.nn.functional.pad(self.attended, (0, 1), value=1)
        logits: Tensor = out.logits[:, -1]
        return logits

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows `[kept]`, in this order."""
        self.cache.batch_select_indices(rows)
        self.places = self.places[rows]
        if self.attended is not None:
            self.attended = self.attended[rows]


def _closing_up(going: Tensor) -> Tensor:
    """Rows that go on, `[kept]`: the last ones stand where others have left, the rest stay."""
    n = int(going.sum())
    rows = torch.arange(n, device=going.device)
    rows[~going[:n]] = n + going[n:].nonzero()[:, 0]
    return rows


def uniform_draws(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> Tensor:
    """Numbers between 0 (never) and 1, in float64 where the device has it."""
    drawn = 1 - torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)
    return drawn.to(device, torch.float32 if device.type == "mps" else torch.float64)


def pick(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """Where the cumulative probability of logits `[batch, size]` reaches `uniform` `[batch]`.

    Inverse transform sampling: one random number a row, in place of `multinomial`'s one a choice.
    """
    probabilities = torch.softmax(logits.float() / temperature, dim=-1)
    cumulative = probabilities.cumsum(-1, dtype=uniform.dtype)
    # As uniform is above 0 and at most 1, what is reached exists and has a probability above 0.
    return torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:])[:, 0]


def _positions(attended: Tensor) -> Tensor:
    """Position of each id in its own sequence; padding on the left gets 0."""
    return (attended.cumsum(-1) - 1).clamp(min=0)
