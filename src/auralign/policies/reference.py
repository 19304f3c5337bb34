"""References whose log-probabilities are computed once and kept in a file.

The file carries a key of everything that its numbers depend on. A file of another key is never
read: the model, the clips, the prompts, the codes' layout or the dtype are not those that are asked
for, and its numbers would be wrong without a word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from auralign.errors import ConfigError, DataError
from auralign.files import write_bytes
from auralign.policies.layouts import length_batches, length_groups
from auralign.types import Prompt, Tokens


class HashedPolicy(Protocol):
    """What can be a reference: log-probabilities, and a hash of the weights they come from."""

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]: ...

    def weights_hash(self) -> str: ...


@dataclass(frozen=True, eq=False)
class PrecomputedReference:
    """Log-probabilities of known clips, by `clip_key`; equal to the bit to those of the policy.

    key    what they depend on (`reference_key`)
    rows   float32 log-probabilities and bool scored mask, `[codebook, time]`, of each clip
    """

    key: str
    rows: dict[str, tuple[Tensor, Tensor]]

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]:
        """As in `TokenPolicy`, without a gradient. DataError for a clip that is not known."""
        found = [self._row(p, t) for p, t in zip(prompts, tokens, strict=True)]
        longest = max(logps.shape[1] for logps, _ in found)
        padded = [
            [torch.nn.functional.pad(part, (0, longest - part.shape[1])) for part in row]
            for row in found
        ]
        return torch.stack([row[0] for row in padded]), torch.stack([row[1] for row in padded])

    def sequence_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        """Sum over scored codes, float64 `[clips]`."""
        found = [self._row(p, t) for p, t in zip(prompts, tokens, strict=True)]
        return np.array([logps.double().sum().item() for logps, _ in found])

    def weights_hash(self) -> str:
        """The key: the numbers in here cannot change, so neither can it."""
        return self.key

    def _row(self, prompt: Prompt, clip: Tokens) -> tuple[Tensor, Tensor]:
        key = clip_key(prompt, clip)
        if key not in self.rows:
            raise DataError(
                f"expected a clip of which the reference's log-probabilities were computed, got "
                f"another one for prompt '{prompt.id}': compute the reference for all pairs"
            )
        return self.rows[key]


def precomputed_reference(
    reference: HashedPolicy,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
    path: Path | None,
    *,
    frames_per_pass: int | None = None,
    precision: str = "fp32",
) -> PrecomputedReference:
    """Log-probabilities of all clips under `reference`: read from `path`, or computed and written.

    How the policy lays out and restricts codes (its `layout`) is part of the key, as are weights,
    prompts, clips and the dtype of the sums. A file of another key, or that cannot be read, is
    replaced; without a path nothing is read or written. `frames_per_pass` as in
    `layouts.length_groups`, 32 clips without it; `precision` names the autocast that the caller has
    set, and is a part of the key. Raises ConfigError for a reference in training mode, StorageError
    when the disk refuses.
    """
    require_evaluation_mode(reference)
    key = reference_key(reference, prompts, tokens, precision=precision)
    stored = _read(path, key) if path else None
    if stored is None:
        rows = _compute(reference, prompts, tokens, frames_per_pass)
        stored = PrecomputedReference(key, rows)
        if path:
            _write(path, stored)
    return stored


def require_evaluation_mode(reference: HashedPolicy) -> None:
    """Raise ConfigError when a part of the reference's model is in training mode."""
    model = getattr(reference, "model", None)
    parts = [name for name, part in model.named_modules() if part.training] if model else []
    if parts:
        raise ConfigError(
            f"expected a reference in evaluation mode, got {len(parts)} parts in training mode, "
            f"such as '{parts[-1]}': use `frozen_copy`, and keep it out of the policy's modules"
        )


def reference_key(
    reference: HashedPolicy,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
    *,
    precision: str = "fp32",
) -> str:
    """SHA-256 over weights, clips, each one's prompt and its reading, layout, precision, torch."""
    layout = getattr(reference, "layout", type(reference).__name__)
    reading = getattr(reference, "reading", lambda prompt: "")
    readings = {prompt: reading(prompt) for prompt in set(prompts)}
    asked = zip(prompts, tokens, strict=True)
    clips = sorted({f"{clip_key(p, t)} {readings[p]}" for p, t in asked})
    parts = [reference.weights_hash(), *clips, layout, precision, torch.__version__]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def clip_key(prompt: Prompt, clip: Tokens) -> str:
    """SHA-256 of a prompt, with its text and condition, and of a clip's codes and shape."""
    asked = {**asdict(prompt), "split": None}  # a split may change without changing a number
    head = json.dumps([asked, clip.shape], sort_keys=True).encode()
    return hashlib.sha256(head + np.ascontiguousarray(clip, dtype=np.int64).tobytes()).hexdigest()


@torch.no_grad()
def _compute(
    reference: HashedPolicy,
    prompts: Sequence[Prompt],
    tokens: Sequence[Tokens],
    frames_per_pass: int | None,
) -> dict[str, tuple[Tensor, Tensor]]:
    rows: dict[str, tuple[Tensor, Tensor]] = {}
    unique = {clip_key(p, t): (p, t) for p, t in zip(prompts, tokens, strict=True)}
    prompts, tokens = zip(*unique.values(), strict=True)
    batches = length_batches(tokens, 32)
    if frames_per_pass is not None:
        batches = length_groups([t.shape[1] for t in tokens], frames_per_pass)
    for batch in batches:
        asked, clips = [prompts[i] for i in batch], [tokens[i] for i in batch]
        token_logps, scored = reference.token_logps(asked, clips)
        beyond = scored.shape[2] - max(clip.shape[1] for clip in clips)  # room for an end code
        for prompt, clip, logps, mask in zip(asked, clips, token_logps, scored, strict=True):
            n = clip.shape[1] + beyond
            rows[clip_key(prompt, clip)] = logps[:, :n].cpu().clone(), mask[:, :n].cpu().clone()
    return rows


def _write(path: Path, stored: PrecomputedReference) -> None:
    tensors = {
        f"{name}.{part}": tensor
        for name, row in stored.rows.items()
        for part, tensor in zip(("logps", "scored"), row, strict=True)
    }
    write_bytes(path, save(tensors, metadata={"key": stored.key}))


def _read(path: Path, key: str) -> PrecomputedReference | None:
    """What is stored under this very key, or None."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if file.metadata()["key"] != key:
                return None
    except (FileNotFoundError, SafetensorError, KeyError, TypeError):
        return None
    tensors = load_file(path)
    names = {name.removesuffix(".logps") for name in tensors if name.endswith(".logps")}
    rows = {name: (tensors[f"{name}.logps"], tensors[f"{name}.scored"]) for name in names}
    return PrecomputedReference(key, rows)
