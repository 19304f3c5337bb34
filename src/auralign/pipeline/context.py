"""What a stage is given besides its inputs: seeds, a place to write, progress, a log."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auralign.data.runs import RunFolder, StageWork

Progress = Callable[[float, str], None]
"""Called with the share of the stage that is done, 0 to 1, and what it is at."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """Randomness is drawn by purpose, so that a change in one place leaves the others alone."""

    seed: int
    stage: str
    work: StageWork
    progress: Progress
    run: RunFolder

    @property
    def folder(self) -> Path:
        """Where the stage writes; it takes its final name when the stage is done."""
        return self.work.path

    def rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng(self._entropy(purpose))

    def number(self, purpose: str) -> int:
        """A seed, 0 or above."""
        state = np.random.SeedSequence(self._entropy(purpose)).generate_state(1, np.uint64)
        return int(state[0] >> 1)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(self.number(purpose))

    def log(self, step: int, values: dict[str, Any]) -> None:
        self.work.log_metrics(step, **values)

    def _entropy(self, purpose: str) -> list[int]:
        return [self.seed, zlib.crc32(self.stage.encode()), zlib.crc32(purpose.encode())]
