"""The keys and values that a model of transformers has seen, in blocks with room for more.

A layer of `DynamicCache` is copied whole for each position that comes and each sequence that
leaves. Here a position is written into the room, and the last sequence takes the place of one that
leaves.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Positions that a block is made longer by, at least."""


def give_room(cache: Any) -> None:
    """Give the layers of a cache blocks to write into, once the model has read its prompts.

    Layers of other kinds than full attention, such as sliding windows, stay as they are, and so do
    caches that are not made of layers.
    """
    if hasattr(cache, "layers"):
        cache.layers = [_with_room(layer) for layer in cache.layers]


def _with_room(layer: Any) -> Any:
    plain: bool = type(layer) is DynamicLayer
    return RoomyLayer(layer.keys, layer.values) if plain else layer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """`keys` and `values`, `[batch, heads, time, width]`, are the filled parts of larger blocks."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._blocks = [keys, values]
        self._fill(keys.shape[2])

    def _fill(self, length: int) -> tuple[Tensor, Tensor]:
        self._length = length
        self.keys, self.values = (block[:, :, :length] for block in self._blocks)
        return self.keys, self.values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        begin, end = self._length, self._length + key_states.shape[2]
        if end > self._blocks[0].shape[2]:
            # Longer by half, so that all copies together are some three times the last length.
            length = end + max(ROOM, end // 2)
            self._blocks = [_longer(block, begin, length) for block in self._blocks]
        for block, new in zip(self._blocks, (key_states, value_states), strict=True):
            block[:, :, begin:end] = new
        return self._fill(end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Row i becomes what row `indices[i]` was; rows that stay where they are cost nothing."""
        n = len(indices)
        places = (indices != torch.arange(n, device=indices.device)).nonzero()[:, 0]
        for block in self._blocks:
            block[places, :, : self._length] = block[indices[places], :, : self._length]
        self._blocks = [block[:n] for block in self._blocks]
        self._fill(self._length)


def _longer(block: Tensor, filled: int, length: int) -> Tensor:
    """A block `[batch, heads, length, width]` that begins with the filled part of another."""
    longer = block.new_empty(*block.shape[:2], length, block.shape[3])
    longer[:, :, :filled] = block[:, :, :filled]
    return longer
