"""Clips of the geometric mixture of two policies, code by code: the rivals of Nash-MD and IPO-MD.

Both models read what was drawn so far and write a next code together; each keeps a cache of its
own. To the policy's sampler the two look like one model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from auralign.errors import ConfigError
from auralign.losses.online.preferences import geometric_mixture
from auralign.policies.causal_lm import CausalCodecPolicy
from auralign.policies.language_model import CodecLanguageModel
from auralign.policies.model_policy import ModelPolicy, draw
from auralign.policies.transformer import Cache
from auralign.types import Prompt, Tokens

MixtureSampler = Callable[[Sequence[Prompt], torch.Generator], list[Tokens]]
"""One clip `[codebook, time]` for each prompt."""


def mixture_sampler(
    policy: ModelPolicy, reference: Any, weight: float, *, temperature: float = 1.0
) -> MixtureSampler:
    """Samples codes in proportion to p^(1 - b) p_reference^b, as the policy is at that moment.

    policy, reference   both `CodecLanguageModel` or both `CausalCodecPolicy`, of the same codes
    weight              b, 0 to 1: 0 is the policy itself; 0.125 to 0.375 was best
    temperature         of both

    Raises ConfigError for policies of other kinds, and of codes that differ. Source: arXiv
    2312.00886 (Nash-MD), 2403.08635 (IPO-MD)
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"expected a weight of the reference of 0 to 1, got {weight:g}")
    mixed = _mixed(policy, reference, weight)

    @torch.no_grad()
    def sample(prompts: Sequence[Prompt], generator: torch.Generator) -> list[Tokens]:
        clips: list[Tokens] = []
        for start in range(0, len(prompts), policy.CLIPS_AT_ONCE):
            part = prompts[start : start + policy.CLIPS_AT_ONCE]
            clips += mixed.sample_clips(part, temperature, generator)[0]
        return clips

    return sample


def _mixed(policy: ModelPolicy, reference: Any, weight: float) -> ModelPolicy:
    """The policy with a model that is both."""
    kinds: dict[type, Any] = {CodecLanguageModel: _Transformers, CausalCodecPolicy: _CausalModels}
    both = kinds.get(type(policy))
    if both is None or type(reference) is not type(policy):
        raise ConfigError(
            "expected two policies of the kind CodecLanguageModel or CausalCodecPolicy to mix, got "
            f"{type(policy).__name__} and {type(reference).__name__}: take a frozen copy as the "
            "reference, or let the policy play against itself"
        )
    if _codes_of(policy) != _codes_of(reference):
        raise ConfigError(
            "expected two policies that read the same prompts and write the same codes, got "
            "different ones: take a frozen copy as the reference"
        )
    return dataclasses.replace(policy, model=both(policy.model, reference.model, weight))


def _codes_of(policy: Any) -> tuple[Any, ...]:
    """What two policies have in common whose codes can be mixed."""
    return policy.layout, policy.limits, getattr(policy, "vocabulary", None)


@dataclass(frozen=True, eq=False)
class _Transformers:
    """Two `CodecTransformer` as one, as `CodecLanguageModel.sample_clips` asks it.

    What is one tensor of a model is a pair here; the cache is that of both, one behind the other.
    """

    own: Any
    reference: Any
    weight: float

    @property
    def config(self) -> Any:
        return self.own.config

    def parameters(self) -> Iterator[Tensor]:
        found: Iterator[Tensor] = self.own.parameters()
        return found

    def new_cache(self, batch: int) -> list[Cache]:
        return [*self.own.new_cache(batch), *self.reference.new_cache(batch)]

    def embed(self, prompts: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.own.embed(prompts, codes), self.reference.embed(prompts, codes)

    def embed_frames(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return self.own.embed_frames(codes), self.reference.embed_frames(codes)

    def step(self, inputs: tuple[Tensor, Tensor], cache: list[Cache]) -> tuple[Tensor, Tensor]:
        depth = self.own.config.depth
        return (
            self.own.step(inputs[0], cache[:depth]),
            self.reference.step(inputs[1], cache[depth:]),
        )

    def next_frame(
        self,
        hidden: tuple[Tensor, Tensor],
        *,
        may_end: bool,
        temperature: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Samples one frame `[batch, codebook]` from both hidden `[batch, width]`."""
        shape = len(hidden[0]), self.config.n_codebooks, 1
        codes = torch.zeros(shape, dtype=torch.int64, device=hidden[0].device)
        for book in range(self.config.n_codebooks):
            own, reference = (
                _logits(model, states, codes, may_end)[:, book]
                for model, states in zip((self.own, self.reference), hidden, strict=True)
            )
            mixed = geometric_mixture(own, reference, self.weight)
            codes[:, book, 0] = draw(mixed, temperature, generator)
        return codes[:, :, 0]


def _logits(model: Any, hidden: Tensor, codes: Tensor, may_end: bool) -> Tensor:
    """`[batch, codebook, size]` of one frame; the first of two is one that may not end."""
    logits: Tensor = model.code_logits(hidden[:, None].expand(-1, 2, -1), codes.expand(-1, -1, 2))
    return logits[:, :, int(may_end)]


@dataclass(frozen=True, eq=False)
class _CausalModels:
    """Two causal language models as one, as `autoregression.sample_responses` calls it."""

    own: Any
    reference: Any
    weight: float

    def modules(self) -> Iterator[Any]:
        found: Iterator[Any] = self.own.modules()
        return found

    def parameters(self) -> Iterator[Tensor]:
        found: Iterator[Tensor] = self.own.parameters()
        return found

    def get_output_embeddings(self) -> Any:
        return self.own.get_output_embeddings()

    def __call__(self, *, past_key_values: _Caches | None, **inputs: Any) -> Any:
        caches = past_key_values or _Caches(None, None)
        own = self.own(**inputs, past_key_values=caches.own)
        reference = self.reference(**inputs, past_key_values=caches.reference)
        return SimpleNamespace(
            logits=geometric_mixture(own.logits.float(), reference.logits.float(), self.weight),
            past_key_values=_Caches(own.past_key_values, reference.past_key_values),
        )


@dataclass(frozen=True, eq=False)
class _Caches:
    """The caches of two models; a clip that has ended leaves both."""

    own: Any
    reference: Any

    def batch_select_indices(self, rows: Tensor) -> None:
        self.own.batch_select_indices(rows)
        self.reference.batch_select_indices(rows)
