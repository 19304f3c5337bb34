"""Loading of pretrained models: the extra `hub`, files that are there or not, dropout."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from auralign.errors import ConfigError, MissingExtraError


def hub_library(name: str) -> Any:
    """The module `transformers` or `peft`; MissingExtraError when it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingExtraError(name, "hub") from error


def load_model(
    class_name: str,
    name: str,
    *,
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
    local_files_only: bool = False,
) -> Any:
    """The model `name` (a folder, or a name on the hub) by a class of transformers, in `dtype`.

    It comes in evaluation mode and with its dropout off (`disable_dropout`). `local_files_only`
    forbids every download. Raises MissingExtraError without transformers, ConfigError when the
    files are not there, are those of another architecture or of an adapter, lack weights that the
    model has (which transformers would make up) or hold weights that are not finite.
    """
    loader = getattr(hub_library("transformers"), class_name)
    try:
        model, found = loader.from_pretrained(
            name,
            dtype=dtype,
            revision=revision,
            local_files_only=local_files_only,
            # Auto classes look for an adapter first, and would ask the hub for it regardless.
            adapter_kwargs={"local_files_only": local_files_only},
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_loaded(class_name, name, local_files_only, error) from error
    if found["missing_keys"]:
        raise ConfigError(
            f"'{name}' lacks {len(found['missing_keys'])} weights of {type(model).__name__}, such "
            f"as {min(found['missing_keys'])}: choose the files of such a model"
        )
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ConfigError(
            f"expected a whole model at '{name}', got an adapter over another one: merge it into "
            "that one and save the result first"
        )
    require_finite_weights(model, name)
    disable_dropout(model)
    return model.eval()


def load_config(name: str, *, revision: str | None = None, local_files_only: bool = False) -> Any:
    """The config of `name`, which says what kind of model it is; errors as `load_model`."""
    return _load_beside("AutoConfig", name, revision, local_files_only)


def load_tokenizer(
    name: str, *, revision: str | None = None, local_files_only: bool = False
) -> Any:
    """The tokenizer of `name`; errors as `load_model`."""
    return _load_beside("AutoTokenizer", name, revision, local_files_only)


def load_processor(
    name: str, *, revision: str | None = None, local_files_only: bool = False
) -> Any:
    """Tokenizer and feature extractor of `name` in one; errors as `load_model`."""
    return _load_beside("AutoProcessor", name, revision, local_files_only)


def _load_beside(class_name: str, name: str, revision: str | None, local_files_only: bool) -> Any:
    loader = getattr(hub_library("transformers"), class_name)
    try:
        return loader.from_pretrained(name, revision=revision, local_files_only=local_files_only)
    except (OSError, ValueError) as error:
        raise _not_loaded(class_name, name, local_files_only, error) from error


def _not_loaded(class_name: str, name: str, local: bool, error: Exception) -> ConfigError:
    reason = str(error).strip().splitlines()[0].split(". ")[0].rstrip(".:")
    where = "local files are allowed only" if local else "downloads are allowed"
    return ConfigError(
        f"expected files that {class_name} loads at '{name}' (a folder, or a name on the hub; "
        f"{where}), got: {reason}: check the name, or download the files first"
    )


def require_finite_weights(model: nn.Module, name: str) -> None:
    """Raise ConfigError when a weight is NaN or infinite."""
    for key, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise ConfigError(
                f"'{name}' has weights that are not finite in {key}: choose an earlier checkpoint"
            )


def disable_dropout(model: nn.Module) -> None:
    """Every dropout and layer drop of the model to 0, in modules and in configs.

    Log-probabilities are a function of weights and clip; with dropout, the policy differs from an
    equal reference already at the first step. Gradient checkpointing, which transformers ties to
    training mode, keeps working.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for part in (module, getattr(module, "config", None)):
            for key, value in vars(part).items() if part is not None else ():
                if (
                    "drop" in key
                    and isinstance(value, (int, float))
                    and not isinstance(value, bool)
                ):
                    setattr(part, key, 0.0)


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of a `state_dict`."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        digest.update(weight.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
