"""Clips under a policy and its reference, in passes of little padding: what objectives see.

A pass is one call of the model. Clips go through it in groups of similar length, because padding
costs as much as codes; sums over codes do not depend on how clips were grouped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from auralign.errors import ConfigError
from auralign.losses import Clips, Need, sum_scored
from auralign.losses.diagnostics import exact_kl
from auralign.policies.layouts import length_groups, weight_codebooks
from auralign.policies.model_policy import pick_logps
from auralign.policies.reference import PrecomputedReference, precomputed_reference
from auralign.training.processes import Processes
from auralign.types import Prompt, Rollout, Tokens


class TrainablePolicy(Protocol):
    """A policy that training can change: `policies.ModelPolicy` and what is made of it."""

    @property
    def model(self) -> Any: ...

    @property
    def packs(self) -> bool: ...

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]: ...

    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]: ...

    def sample(
        self, prompts: Sequence[Prompt], n: int, *, generator: torch.Generator
    ) -> Rollout: ...

    def weights_hash(self) -> str: ...


class Reference(Protocol):
    """What log-ratios are taken against: a frozen copy, the adapter off, or numbers in a file."""

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]: ...

    def weights_hash(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A clip whose log-probability under a prompt is asked for, and weights of its codes."""

    prompt: Prompt
    clip: Tokens
    code_weights: NDArray[np.float32] | None = None

    @property
    def n_frames(self) -> int:
        return int(self.clip.shape[1])


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores clips as an objective with these needs wants them.

    reference          None where no objective looks at one
    codebook_weights   `[codebook]`, or None for all codes alike
    frames_per_pass    frames of a pass, padding included; None is one pass for all
    autocast           dtype that the model runs in, or None for that of its weights
    """

    policy: TrainablePolicy
    reference: Reference | None
    needs: frozenset[Need]
    codebook_weights: Tensor | None = None
    frames_per_pass: int | None = None
    autocast: torch.dtype | None = None

    def __call__(self, asked: Sequence[Asked]) -> Clips:
        """One row for each clip, in order; gradients reach the policy alone."""
        # Without padding, clips of one prompt belong together whatever their lengths are.
        limit = None if self.policy.packs else self.frames_per_pass
        groups = list(length_groups([a.n_frames for a in asked], limit))
        parts = [self._score([asked[i] for i in rows]) for rows in groups]
        order = torch.tensor([i for rows in groups for i in rows])
        return take(concatenate(parts), order.argsort())

    def _score(self, asked: Sequence[Asked]) -> Clips:
        prompts, clips = [a.prompt for a in asked], [a.clip for a in asked]
        token_logps, scored, extra = self._policy_tokens(prompts, clips)
        token_logps, counted = self._weighted(token_logps), self._weighted(scored.float())
        extra = {name: self._weighted(values) for name, values in extra.items()}
        logp, n_codes = sum_scored(_wide(token_logps), scored), counted.sum((-2, -1))
        reference = self._reference_tokens(prompts, clips, scored)
        reference_logp = None if reference is None else sum_scored(_wide(reference), scored)
        if Need.TOKENS not in self.needs:
            return Clips(logp, n_codes, reference_logp)
        weights = _code_weights(asked, scored) if Need.TOKEN_WEIGHTS in self.needs else None
        return Clips(
            logp,
            n_codes,
            reference_logp,
            token_logps=token_logps,
            reference_tokens=reference,
            scored=scored,
            token_weights=weights,
            kl_weights=weights,
            **extra,
        )

    def _policy_tokens(
        self, prompts: Sequence[Prompt], clips: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Log-probabilities, scored mask, and what is asked of whole distributions."""
        with autocast(self.policy.model, self.autocast):
            if not self.needs & {Need.COLLISION, Need.TOKEN_KL}:
                return *self.policy.token_logps(prompts, clips), {}
            logits, drawn, scored = self.policy.logits(prompts, clips)
        found = {}
        if Need.COLLISION in self.needs:
            logps = logits.detach().float().log_softmax(-1)
            found["log_collision"] = torch.where(scored, (2 * logps).logsumexp(-1), 0.0)
        if Need.TOKEN_KL in self.needs:
            kl = exact_kl(self._reference_logits(prompts, clips).float(), logits.float())
            found["token_kl"] = torch.where(scored, kl, 0.0)
        return pick_logps(logits, drawn, scored), scored, found

    def _reference_tokens(
        self, prompts: Sequence[Prompt], clips: Sequence[Tokens], scored: Tensor
    ) -> Tensor | None:
        if self.reference is None:
            return None
        with torch.no_grad(), autocast(self.policy.model, self.autocast):
            token_logps = self.reference.token_logps(prompts, clips)[0].to(scored.device)
        return self._weighted(token_logps)

    def _weighted(self, values: Tensor) -> Tensor:
        """`[clips, codebook, time]`, times the weight of each codebook."""
        weights = self.codebook_weights
        return values if weights is None else weight_codebooks(values, weights)

    def _reference_logits(self, prompts: Sequence[Prompt], clips: Sequence[Tokens]) -> Tensor:
        ask = getattr(self.reference, "logits", None)
        if ask is None:
            raise ConfigError(
                "this objective needs the whole distribution of each code under the reference, "
                "and a reference of stored log-probabilities has none: use a frozen copy"
            )
        with torch.no_grad(), autocast(self.policy.model, self.autocast):
            logits: Tensor = ask(prompts, clips)[0]
        return logits


DTYPES = {"fp32": None, "bf16": torch.bfloat16}
"""By the setting `precision`: what models run in, None for the dtype of their weights."""


def stored_reference(
    reference: Any,
    asked: Sequence[Asked],
    path: Path | None,
    processes: Processes,
    *,
    precision: str,
    frames_per_pass: int,
) -> PrecomputedReference:
    """The log-probabilities of all that will be asked, which the first process computes.

    Without a path every process computes them itself.
    """
    if path and not processes.is_first:
        processes.wait()
    with autocast(getattr(reference, "policy", reference).model, DTYPES[precision]):
        stored = precomputed_reference(
            reference,
            [a.prompt for a in asked],
            [a.clip for a in asked],
            path,
            frames_per_pass=frames_per_pass,
            precision=precision,
        )
    if path and processes.is_first:
        processes.wait()
    return stored


def autocast(model: Any, dtype: torch.dtype | None) -> torch.autocast:
    """The model runs in `dtype`, or in that of its weights; policy and reference alike."""
    device = next(model.parameters()).device
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


WITHOUT_FLOAT64 = {"mps"}
"""Devices that know no float64."""


def _wide(values: Tensor) -> Tensor:
    """In float64, if may be: of a minute of audio, a sum's last place in float32 is 0.008 nats."""
    return values if values.device.type in WITHOUT_FLOAT64 else values.double()


_OF_CLIPS = ("logp", "n_codes", "reference_logp")
_OF_CODES = (
    "token_logps",
    "reference_tokens",
    "scored",
    "token_weights",
    "kl_weights",
    "token_kl",
    "log_collision",
)


def concatenate(parts: Sequence[Clips]) -> Clips:
    """The rows of all parts; codes are padded to the longest clip."""
    fields: dict[str, Tensor] = {}
    for name in (*_OF_CLIPS, *_OF_CODES):
        values = [getattr(part, name) for part in parts]
        if values[0] is not None:
            longest = max(v.shape[-1] for v in values)
            padded = name in _OF_CODES
            fields[name] = torch.cat(
                [pad(v, (0, longest - v.shape[-1])) for v in values] if padded else values
            )
    return Clips(**fields)


def take(clips: Clips, rows: Tensor | slice) -> Clips:
    """Some rows, in their order."""
    found = {name: getattr(clips, name) for name in (*_OF_CLIPS, *_OF_CODES)}
    return Clips(**{name: value[rows] for name, value in found.items() if value is not None})


def _code_weights(asked: Sequence[Asked], scored: Tensor) -> Tensor:
    """`[clips, codebook, time]`; 1 where a clip has none, and at the end code."""
    weights = torch.ones(scored.shape)
    for row, a in zip(weights, asked, strict=True):
        if a.code_weights is not None:
            row[:, : a.n_frames] = torch.from_numpy(a.code_weights)
    return weights.to(scored.device)
