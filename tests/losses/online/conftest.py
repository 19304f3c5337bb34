"""Rollouts by hand, and all clips of a policy so small that expectations are sums."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from auralign.losses.online import Rollouts


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(scope="session")
def rollouts() -> Callable[..., Rollouts]:
    """`rollouts(lengths, log_ratios=..., **fields)`: fresh unless there are log-ratios.

    Log-probabilities are -1 a code; log-ratios are rows of numbers, one for each code of a clip.
    """

    def build(lengths, log_ratios=None, codebooks=1, **given) -> Rollouts:
        shape = len(lengths), codebooks, max(lengths)
        scored = (torch.arange(shape[2]) < torch.tensor(lengths)[:, None, None]).expand(shape)
        logps = torch.full(shape, -1.0, dtype=torch.float64)
        behaviour = logps.clone()
        for row, ratios in zip(behaviour, log_ratios or [], strict=bool(log_ratios)):
            row[:, : len(ratios)] -= double(*ratios)
        fields = {k: double(*v) if isinstance(v, tuple) else v for k, v in given.items()}
        return Rollouts(logps.requires_grad_(), behaviour, scored, **fields)

    return build


@dataclass
class World:
    """A policy over three symbols and at most two codes; symbol 0 ends a clip: seven clips.

    Row 0 of the logits `[3, 3]` is for the first code, row s for the code after symbol s.
    """

    clips: list[tuple[int, ...]] = field(
        default_factory=lambda: [(0,), *((a, b) for a in (1, 2) for b in (0, 1, 2))]
    )

    @staticmethod
    def logits(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn((3, 3), generator=generator, dtype=torch.float64)

    @property
    def scored(self) -> Tensor:
        return torch.tensor([[[True, len(clip) == 2]] for clip in self.clips])

    def logps(self, logits: Tensor) -> Tensor:
        """`[7, 1, 2]`, and a wrong number where there is no code."""
        table = logits.log_softmax(-1)
        second = [table[c[0], c[1]] if len(c) == 2 else table.new_tensor(-7.0) for c in self.clips]
        return torch.stack([table[0, [c[0] for c in self.clips]], torch.stack(second)], -1)[:, None]

    def probabilities(self, logits: Tensor) -> Tensor:
        """`[7]`, of whole clips."""
        return torch.where(self.scored, self.logps(logits), 0.0).sum((-2, -1)).exp()

    def prefixes(self, logits: Tensor) -> Tensor:
        """`[3]`, how often each row of the logits is asked."""
        first = logits.softmax(-1)[0]
        return torch.stack([torch.ones_like(first[0]), first[1], first[2]])

    def batch(self, logits: Tensor, behaviour: Tensor, reference: Tensor, **given) -> Rollouts:
        behaviour_logps, reference_logps = (self.logps(x).detach() for x in (behaviour, reference))
        return Rollouts(self.logps(logits), behaviour_logps, self.scored, reference_logps, **given)


@pytest.fixture(scope="session")
def world() -> World:
    return World()
