"""A policy so small that all it can say is counted: clips of one frame, a logit for each code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auralign.policies.layouts import ClipLimits
from auralign.policies.model_policy import ModelPolicy
from auralign.types import Prompt, Tokens


class Table(nn.Module):
    """A logit for each code, whatever the prompt is."""

    def __init__(self, probabilities: Sequence[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(probabilities).log())


@dataclass(frozen=True, eq=False)
class TablePolicy(ModelPolicy):
    """A `ModelPolicy` over a `Table`; its one hidden state is 1, so that a critic is a constant.

    Clips of a batch are spread evenly over the codes (`evenly`): a batch of hundreds stands for one
    of many thousands.
    """

    model: Table

    CLIPS_AT_ONCE = 1_000_000

    @classmethod
    def of(cls, probabilities: Sequence[float]) -> TablePolicy:
        return cls(Table(probabilities))

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """`[codes]`."""
        return self.model.logits.detach().double().softmax(0).numpy()

    @property
    def limits(self) -> ClipLimits:
        return ClipLimits(1, len(self.model.logits), 1)

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        drawn = torch.from_numpy(np.stack(tokens))
        scored = torch.ones_like(drawn, dtype=torch.bool)
        return self.model.logits.expand(*drawn.shape, -1), drawn, scored

    def states(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        return torch.ones(len(tokens), 1, self.width)

    @property
    def width(self) -> int:
        return 1

    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        probabilities = (self.model.logits.detach() / temperature).double().softmax(0).numpy()
        return evenly_drawn(probabilities, len(prompts), generator), np.ones(len(prompts), np.bool_)


def evenly(n: int, generator: torch.Generator) -> NDArray[np.float64]:
    """Numbers from 0 to 1, each of them uniform, all spread evenly, in random order, `[n]`."""
    places = torch.randperm(n, generator=generator).numpy()
    return np.asarray((places + torch.rand(1, generator=generator).item()) / n)


def evenly_drawn(
    probabilities: NDArray[np.float64], n: int, generator: torch.Generator
) -> list[Tokens]:
    """`n` clips of one code, each code as often as its probability says."""
    upto = probabilities.cumsum()[:-1]
    return list(np.searchsorted(upto, evenly(n, generator), side="right")[:, None, None])
