"""Low-rank adapters (LoRA, arXiv 2106.09685) by peft, and the reference that they leave behind.

A policy with an adapter needs no second model as its reference: the same weights with the adapter
off are the model that it started from. That holds only when it started without one, which is why a
second adapter is an error here.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auralign.errors import ConfigError
from auralign.policies import hub
from auralign.policies.model_policy import ModelPolicy
from auralign.types import Prompt, Rollout, Tokens

SomePolicy = TypeVar("SomePolicy", bound=ModelPolicy)


def with_lora(
    policy: SomePolicy,
    *,
    rank: int,
    alpha: float,
    target_modules: str | Sequence[str],
    generator: torch.Generator,
) -> SomePolicy:
    """The policy with an adapter in its model, of which alone the weights are trained.

    The model is changed in place. The adapter's product starts at zero, so that the new policy is
    the old one. Its update is scaled by `alpha / rank`; `target_modules` are names of linear layers
    (their ends), a regular expression, or `all-linear`. Raises MissingExtraError without peft,
    ConfigError when the model has an adapter already or no such layers.
    """
    peft = hub.hub_library("peft")
    if isinstance(policy.model, peft.PeftModel):
        raise ConfigError(
            "expected a model without an adapter, got one with: merge it first (`merge_lora`), or "
            "the adapter-off reference would not be the policy that training starts from"
        )
    modules = target_modules if isinstance(target_modules, str) else list(target_modules)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=modules, lora_dropout=0.0)
    try:
        # peft draws from the global generator; what it drew is replaced below.
        with torch.random.fork_rng(), warnings.catch_warnings():
            # peft 0.21 asks transformers 5 whether it saves activations by the old name of that.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            model = peft.get_peft_model(policy.model, config)
    except ValueError as error:
        raise ConfigError(
            f"expected names of linear layers for the adapter, got {modules!r}: {error}"
        ) from error
    for name, weight in model.named_parameters():
        if "lora_A" in name:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    return dataclasses.replace(policy, model=model)


def merge_lora(policy: SomePolicy) -> SomePolicy:
    """The policy with the adapter added into the weights it adapts; the given one is used up."""
    return dataclasses.replace(policy, model=policy.model.merge_and_unload())


@dataclass(frozen=True, eq=False)
class AdapterOffReference:
    """The reference of a policy with an adapter: the same model, asked with the adapter off.

    Nothing is copied. It answers without gradient and in evaluation mode, and puts the model back
    into the mode that it was in. `weights_hash` covers what is not adapter: training must not
    change it.
    """

    policy: ModelPolicy

    def __post_init__(self) -> None:
        if not hasattr(self.policy.model, "disable_adapter"):
            raise ConfigError(
                "expected a policy with an adapter, got one without: use `with_lora` first, or a "
                "frozen copy as the reference"
            )

    @torch.no_grad()
    def token_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor]:
        """As in `ModelPolicy`, without a gradient."""
        with _adapter_off(self.policy.model):
            return self.policy.token_logps(prompts, tokens)

    @torch.no_grad()
    def logits(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As in `ModelPolicy`, without a gradient."""
        with _adapter_off(self.policy.model):
            return self.policy.logits(prompts, tokens)

    @torch.no_grad()
    def sequence_logps(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], *, batch_size: int = 32
    ) -> NDArray[np.float64]:
        """As in `ModelPolicy`."""
        with _adapter_off(self.policy.model):
            return self.policy.sequence_logps(prompts, tokens, batch_size=batch_size)

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> Rollout:
        """As in `ModelPolicy`."""
        with _adapter_off(self.policy.model):
            return self.policy.sample(prompts, n, generator=generator, temperature=temperature)

    @property
    def layout(self) -> str:
        """As in `ModelPolicy`."""
        return self.policy.layout

    def reading(self, prompt: Prompt) -> str:
        """As in `ModelPolicy`."""
        return self.policy.reading(prompt)

    def weights_hash(self) -> str:
        """SHA-256 over the weights below the adapter."""
        base = {k: v for k, v in self.policy.model.state_dict().items() if "lora_" not in k}
        return hub.weights_hash(base)


@contextmanager
def _adapter_off(model: Any) -> Iterator[None]:
    """The model in evaluation mode and without its adapter."""
    trained = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with model.disable_adapter():
            yield
    finally:
        for module in trained:
            module.training = True
