"""Devices that a policy's weights may lie on; codes, masks and whatever meets them follow."""

from __future__ import annotations

import torch

from auralign.errors import ConfigError, did_you_mean

DEVICES = ("auto", "cpu", "cuda", "mps")


def device_named(name: str, *, place: int = 0) -> torch.device:
    """The device of one of `DEVICES`: `auto` is CUDA where there is a GPU for it, else the CPU.

    place   of this process among those of its machine, each of which takes a GPU of its own

    Raises ConfigError for another name and for a device that is not there.
    """
    if name not in DEVICES:
        raise ConfigError(
            f"device: expected one of {', '.join(DEVICES)}, got '{name}'"
            f"{did_you_mean(name, DEVICES)}"
        )
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if n_gpus else "cpu"
    if name == "cuda" and place >= n_gpus:
        raise ConfigError(
            f"device: expected a GPU for each process, of which this is number {place + 1}, but "
            f"torch finds {n_gpus}: start fewer processes, or choose 'cpu'"
        )
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device: torch finds no 'mps' on this machine: choose 'auto' or 'cpu'")
    return torch.device(name, place) if name == "cuda" else torch.device(name)
