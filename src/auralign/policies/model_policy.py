"""A `TokenPolicy` made of a model's logits and a sampler: the adapters', or one of your own."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auralign.errors import ConfigError
from auralign.policies import hub
from auralign.policies.layouts import ClipLimits, length_batches
from auralign.types import Prompt, Rollout, Tokens


@dataclass(frozen=True, eq=False)
class ModelPolicy(ABC):
    """A `TokenPolicy` over any torch module, from its `logits` and its `sample_clips`.

    The model's dropout is switched off for good when the policy is made (`hub.disable_dropout`).
    """

    model: Any

    CLIPS_AT_ONCE: ClassVar[int] = 32
    """How many clips are sampled or scored in one batch, unless a caller says."""

    def __post_init__(self) -> None:
        hub.disable_dropout(self.model)

    @abstractmethod
    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `[batch, codebook, time, size]`, what was drawn, and which places are scored.

        What was drawn is int64 `[batch, codebook, time]`, an index into the last axis of the
        logits; the mask of the scored places has the same shape. Raises DataError for prompts and
        codes that this policy cannot have seen or made.
        """

    @abstractmethod
    def sample_clips(
        self, prompts: Sequence[Prompt], temperature: float, generator: torch.Generator
    ) -> tuple[list[Tokens], NDArray[np.bool_]]:
        """One clip for each prompt, and whether it ended itself."""

    @property
    def packs(self) -> bool:
        """Whether clips of different lengths are scored together without padding."""
        return False

    @property
    def limits(self) -> ClipLimits | None:
        """Which clips this policy can make, where it can say so before it is asked about one."""
        return None

    @property
    def layout(self) -> str:
        """What log-probabilities depend on beside the weights: the kind of policy and its options.

        Stored log-probabilities are those of one layout.
        """
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        options = [f"{k}={v}" for k, v in fields.items() if isinstance(v, (str, int, float))]
        return ", ".join([type(self).__name__, *options])

    def reading(self, prompt: Prompt) -> str:
        """What the model reads of a prompt, where options decide it; as `layout` in a key."""
        return ""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], **options: Any
    ) -> tuple[Tensor, Tensor]:
        """float32 log-probabilities and scored mask, `[batch, codebook, time]`, with a gradient.

        `options` are those of the policy's own `logits`, if it has some. The softmax is computed in
        float32 whatever the dtype of the weights: logits of 16 bits tie and round. The time axis
        has one place more than the longest clip where clips end with an end code. Raises DataError
        as `logits`.
        """
        logits, drawn, scored = self.logits(prompts, tokens, **options)
        return pick_logps(logits, drawn, scored), scored

    def sft_loss(self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]) -> Tensor:
        """Mean negative log-likelihood over all scored codes of the batch, nats a code."""
        token_logps, scored = self.token_logps(prompts, tokens)
        return -token_logps.sum() / scored.sum()

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        generator: torch.Generator,
        temperature: float = 1.0,
        batch_size: int | None = None,
    ) -> Rollout:
        """`n` clips for each prompt, prompt-major, with the policy's log-probabilities in nats.

        The log-probabilities are those of `token_logps` (temperature 1), whatever the clips were
        drawn with. Raises ConfigError unless `temperature` is positive.
        """
        if temperature <= 0:
            raise ConfigError(f"temperature must be above 0, got {temperature:g}")
        index = np.repeat(np.arange(len(prompts)), n)
        asked = [prompts[i] for i in index.tolist()]
        tokens: list[Tokens] = []
        terminated: list[NDArray[np.bool_]] = []
        at_once = batch_size or self.CLIPS_AT_ONCE
        for start in range(0, len(asked), at_once):
            part = asked[start : start + at_once]
            clips, ended = self.sample_clips(part, temperature, generator)
            tokens += clips
            terminated.append(ended)
        logp = self.sequence_logps(asked, tokens, batch_size=batch_size)
        return Rollout(index, tokens, np.concatenate(terminated), logp)

    @torch.no_grad()
    def sequence_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], *, batch_size: int | None = None
    ) -> NDArray[np.float64]:
        """Sum over scored codes, float64 `[clips]`, in batches of similar length."""
        logps = np.zeros(len(tokens))
        for rows in length_batches(tokens, batch_size or self.CLIPS_AT_ONCE):
            values, _ = self.token_logps([prompts[i] for i in rows], [tokens[i] for i in rows])
            logps[rows] = values.cpu().double().sum((-2, -1)).numpy()
        return logps

    @torch.no_grad()
    def token_entropy(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], *, batch_size: int | None = None
    ) -> float:
        """Mean entropy in nats of the distributions that the scored codes are drawn from."""
        total, count = 0.0, 0
        for rows in length_batches(tokens, batch_size or self.CLIPS_AT_ONCE):
            logits, _, scored = self.logits([prompts[i] for i in rows], [tokens[i] for i in rows])
            entropy = torch.special.entr(torch.softmax(logits[scored].float(), dim=-1)).sum(-1)
            total += entropy.cpu().double().sum().item()
            count += int(scored.sum())
        return total / count

    def frozen_copy(self) -> Self:
        """A reference: same weights, evaluation mode, no gradients, outside the module tree."""
        model = copy.deepcopy(self.model).eval().requires_grad_(False)
        return dataclasses.replace(self, model=model)

    def weights_hash(self) -> str:
        """SHA-256 over all weights: tells whether a reference has stayed what it was."""
        return hub.weights_hash(self.model.state_dict())


def pick_logps(logits: Tensor, drawn: Tensor, scored: Tensor) -> Tensor:
    """Log-probabilities of what was drawn, float32 `[batch, codebook, time]`, 0 where not scored.

    Arguments as `ModelPolicy.logits` gives them.
    """
    # Scored places are picked first: what stands elsewhere reaches no value and no gradient.
    picked = torch.log_softmax(logits[scored].float(), dim=-1)
    picked = picked.gather(-1, drawn[scored][:, None])[:, 0]
    return picked.new_zeros(scored.shape).masked_scatter(scored, picked)


def draw(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """One index for each row of logits `[batch, size]`, int64 `[batch]`, on their device."""
    probabilities = torch.softmax(logits.float() / temperature, dim=-1).to(generator.device)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(logits.device)
