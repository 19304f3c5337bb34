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

from auralign.policies.model_policy import draw


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


def sample_responses(
    model: Any,
    prompt: PromptBlock,
    choices: Callable[[int], Tensor],
    *,
    end_id: int,
    max_ids: int,
    temperature: float,
    generator: torch.Generator,
) -> tuple[list[Tensor], list[bool]]:
    """For each prompt the ids before the end, on the CPU, and whether the end came.

    `choices(position)` are the ids that may come at a position of the response, int64 `[choices]`.
    A response that has ended leaves the batch.
    """
    responses: list[list[Tensor]] = [[] for _ in prompt.ids]
    ended = [False] * len(prompt.ids)
    alive = torch.arange(len(prompt.ids), device=prompt.ids.device)
    attended = prompt.attended
    inputs: dict[str, Any] = {"input_ids": prompt.ids, **prompt.features}
    cache = None
    for position in range(max_ids):
        place = _positions(attended)[:, -inputs["input_ids"].shape[1] :]
        out = model(
            **inputs,
            attention_mask=attended,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
        )
        ids = choices(position)
        picked = ids[draw(out.logits[:, -1, ids], temperature, generator)]
        going = picked != end_id
        for row, new in zip(alive.tolist(), picked.cpu(), strict=True):
            if new == end_id:
                ended[row] = True
            else:
                responses[row].append(new)
        if not going.any():
            break
        cache = out.past_key_values
        if not going.all():
            cache.batch_select_indices(going.nonzero()[:, 0])
        alive, picked = alive[going], picked[going]
        attended = torch.nn.functional.pad(attended[going], (0, 1), value=1)
        inputs = {"input_ids": picked[:, None]}
    return [torch.stack(r) if r else torch.zeros(0, dtype=torch.int64) for r in responses], ended


def _positions(attended: Tensor) -> Tensor:
    """Position of each id in its own sequence; padding on the left gets 0."""
    return (attended.cumsum(-1) - 1).clamp(min=0)
