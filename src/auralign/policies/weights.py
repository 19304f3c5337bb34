"""Weights of a policy: which of them are trained, and files of them that fit exactly one model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from auralign.errors import ConfigError
from auralign.files import reading, write_bytes
from auralign.policies import hub


class HasModel(Protocol):
    """A policy over a torch module."""

    @property
    def model(self) -> Any: ...


def trainable_parameters(policy: HasModel) -> dict[str, nn.Parameter]:
    """The parameters that require a gradient, by name; with LoRA the adapter's alone."""
    return {name: p for name, p in policy.model.named_parameters() if p.requires_grad}


def has_adapter(policy: HasModel) -> bool:
    """Whether the policy's model is one of peft."""
    return hasattr(policy.model, "peft_config")


def save_weights(model: nn.Module, path: Path) -> None:
    """The model's `state_dict` as one safetensors file. Raises StorageError."""
    # Cloned, because safetensors refuses weights that share memory, such as tied embeddings.
    weights = {name: w.detach().cpu().clone() for name, w in model.state_dict().items()}
    write_bytes(path, save({name: w.contiguous() for name, w in weights.items()}))


def load_weights(model: nn.Module, path: Path) -> None:
    """What `save_weights` wrote, into a model of the same architecture.

    Raises DataError for a file that is missing or damaged, ConfigError for weights of another
    architecture.
    """
    found = _read(path)
    _require_fit(found, model.state_dict(), path)
    model.load_state_dict(found)


def load_adapter(model: Any, path: Path) -> None:
    """The adapter that peft wrote to a safetensors file, into a model with a like adapter.

    Errors as `load_weights`.
    """
    peft = hub.hub_library("peft")
    found = _read(path)
    # By default peft asks the hub whether the embeddings have grown.
    _require_fit(found, peft.get_peft_model_state_dict(model, save_embedding_layers=False), path)
    peft.set_peft_model_state_dict(model, found)


def _read(path: Path) -> dict[str, Tensor]:
    with reading(path, "weights in a safetensors file"):
        weights: dict[str, Tensor] = load_file(path)
    return weights


def _require_fit(found: Mapping[str, Tensor], model: Mapping[str, Tensor], path: Path) -> None:
    """Raise ConfigError unless names and shapes are those of the model."""
    expected, got = _shapes(model), _shapes(found)
    for name in sorted(expected | got):
        if expected.get(name) != got.get(name):
            raise ConfigError(
                f"{path}: expected the {len(expected)} weights of the model, with {name} "
                f"{_described(expected.get(name))}, got {len(got)} with {name} "
                f"{_described(got.get(name))}: choose weights of this architecture"
            )


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


def _described(shape: torch.Size | None) -> str:
    return "absent" if shape is None else f"of shape {tuple(shape)}"
