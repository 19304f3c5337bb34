"""Clips of any lengths in one row of a causal language model: no padding, each prompt once.

    prompt a | response a1 | response a2 | prompt b | response b1

A response attends to its own prompt and to itself, as if it stood alone behind it. Positions begin
anew with every prompt and go on from its end with each of its responses. Every layer is computed
for real ids only; nothing but attention knows of the others in the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from auralign.policies import hub

ATTENTION = "auralign_packed"
NOT_PLAIN = ("sliding_window", "softcap", "s_aux", "position_bias", "head_mask")
"""What models ask of attention that is more than causal."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A prompt in the row, and its responses without their last ids, as places `[begin, end)`."""

    prompt: slice
    responses: tuple[slice, ...]


def packed_states(
    decoder: Any, prompts: Sequence[Sequence[int]], responses: Sequence[Tensor]
) -> list[Tensor]:
    """Hidden states `[ids, width]` from which the head predicts each response, in their order.

    responses   int64 `[ids]`, at least one id each

    The decoder's config is told of the attention for the time of the call. Raises whatever a model
    raises that does not hand `pieces` on to its attention.
    """
    row, positions, pieces, of_response = _row(prompts, responses)
    with _packed_attention(decoder):
        out = decoder(
            input_ids=row[None], position_ids=positions[None], use_cache=False, pieces=pieces
        )
    states = out.last_hidden_state[0]
    return [states[places] for places in of_response]


def _row(
    prompts: Sequence[Sequence[int]], responses: Sequence[Tensor]
) -> tuple[Tensor, Tensor, list[Piece], list[Tensor]]:
    """Ids and positions of the row, its pieces, and the places that predict each response."""
    device = responses[0].device
    of_prompt: dict[tuple[int, ...], list[int]] = {}
    for i, prompt in enumerate(prompts):
        of_prompt.setdefault(tuple(prompt), []).append(i)
    ids: list[Tensor] = []
    positions: list[Tensor] = []
    pieces: list[Piece] = []
    places: dict[int, Tensor] = {}
    end = 0
    for prompt, members in of_prompt.items():
        n = len(prompt)
        begin, end = end, end + n
        ids.append(torch.tensor(prompt, device=device))
        positions.append(torch.arange(n, device=device))
        slices = []
        for i in members:
            rest = responses[i][:-1]
            slices.append(slice(end, end + len(rest)))
            last = torch.tensor([begin + n - 1], device=device)
            places[i] = torch.cat([last, torch.arange(end, end + len(rest), device=device)])
            ids.append(rest)
            positions.append(torch.arange(n, n + len(rest), device=device))
            end += len(rest)
        pieces.append(Piece(slice(begin, begin + n), tuple(slices)))
    order = [places[i] for i in range(len(responses))]
    return torch.cat(ids), torch.cat(positions), pieces, order


@contextmanager
def _packed_attention(decoder: Any) -> Iterator[None]:
    """The decoder with attention over pieces, and then again with its own."""
    hub.hub_library("transformers").AttentionInterface.register(ATTENTION, _attend)
    own = decoder.config._attn_implementation
    decoder.config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        decoder.config._attn_implementation = own


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    pieces: Sequence[Piece],
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each piece: `[1, heads, row, head width]` -> `[1, row, heads, ...]`.

    A prompt is attended from once for each of its responses, so that no mask is needed: that costs
    little beside the layers, which see it once. Raises ValueError for attention of another kind.
    """
    other = [name for name in NOT_PLAIN if options.get(name) is not None]
    if other or options.get("dropout"):
        raise ValueError(f"expected plain causal attention, got {', '.join(other) or 'dropout'}")
    parts = []
    for piece in pieces:
        n = piece.prompt.stop - piece.prompt.start
        for i, response in enumerate(piece.responses):
            q, k, v = (
                torch.cat([x[:, :, piece.prompt], x[:, :, response]], dim=2)
                for x in (query, key, value)
            )
            out = scaled_dot_product_attention(
                q, k, v, is_causal=True, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
            )
            parts.append(out if i == 0 else out[:, :, n:])
    return torch.cat(parts, dim=2).transpose(1, 2), None
