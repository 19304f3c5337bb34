"""Several processes that train one model: who computes what, and how it comes together.

Started by torchrun or `accelerate launch`, which say in the environment how many processes there
are; without them there is one. Each process computes its share of every batch, and gradients are
summed, so that any number of processes takes the steps of one. With FSDP, parameters, gradients and
optimiser are split between the processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process (`rank`) among `count`; `sharded` is FSDP."""

    rank: int = 0
    count: int = 1
    sharded: bool = False

    @property
    def is_first(self) -> bool:
        """The one process that writes files and talks to the user."""
        return self.rank == 0

    def share(self, rows: Sequence[T]) -> list[T]:
        """This process's part of a batch."""
        return list(rows[self.rank :: self.count])

    def gather(self, own: T) -> list[T]:
        """What each process gives, in the order of ranks, in every process."""
        if self.count == 1:
            return [own]
        everybodys: list[Any] = [None] * self.count
        dist.all_gather_object(everybodys, own)
        return everybodys

    def sums(self, own: Mapping[str, float]) -> dict[str, float]:
        """Sums over processes by name; a process may lack names that others have."""
        totals: dict[str, float] = {}
        for part in self.gather(dict(own)):
            for name, value in part.items():
                totals[name] = totals.get(name, 0.0) + value
        return totals

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients become the sum over processes; one that has none counts as zero."""
        if self.count == 1:
            return
        for parameter in parameters:
            if self.sharded:
                # FSDP has summed already, and divided by the number of processes.
                if parameter.grad is not None:
                    parameter.grad.mul_(self.count)
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def clip_gradients(self, parameters: Sequence[nn.Parameter], max_norm: float) -> float:
        """Gradients, summed already, of at most this norm; the norm that they had."""
        norm: Any = clip_grad_norm_(parameters, max_norm)
        return float(norm.full_tensor() if self.sharded else norm)

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            dist.barrier()

    def shard(self, model: nn.Module) -> None:
        """Splits the parameters of the model, layer by layer, where this is FSDP."""
        if not self.sharded:
            return
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(next(model.parameters()).device.type, (self.count,))
        for module in model.modules():
            if isinstance(module, nn.ModuleList):
                for layer in module:
                    fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    @contextmanager
    def whole(self, model: nn.Module) -> Iterator[None]:
        """Every process holds all parameters of the model while the body runs, to read them."""
        modules: Iterable[Any] = model.modules() if self.sharded else ()
        parts = [module for module in modules if hasattr(module, "unshard")]
        for part in parts:
            part.unshard()
        try:
            yield
        finally:
            for part in parts:
                part.reshard()

    def state_dict(self, model: nn.Module) -> dict[str, Any]:
        """All weights on the CPU, in every process."""
        if not self.sharded:
            return {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        # Only the first process gets it, and the others want it too.
        return self.gather(dict(get_model_state_dict(model, options=whole)))[0]

    def load_state_dict(self, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        if not self.sharded:
            model.load_state_dict(weights)
            return
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

        set_model_state_dict(model, dict(weights), options=StateDictOptions(full_state_dict=True))

    def optimiser_state(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        """All of the optimiser's state, in every process."""
        if not self.sharded:
            return optimiser.state_dict()
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            get_optimizer_state_dict,
        )

        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return self.gather(dict(get_optimizer_state_dict(model, optimiser, options=whole)))[0]

    def load_optimiser(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any]
    ) -> None:
        """The inverse of `optimiser_state`."""
        if not self.sharded:
            optimiser.load_state_dict(state)
            return
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            set_optimizer_state_dict,
        )

        set_optimizer_state_dict(
            model, optimiser, state, options=StateDictOptions(full_state_dict=True)
        )


def is_first_process() -> bool:
    """Whether this process talks to the user, by what a launcher says; before any has joined."""
    return os.environ.get("RANK", "0") == "0"


def place_on_machine() -> int:
    """Of this process among those of its machine, from 0 on, by what a launcher says."""
    return int(os.environ.get("LOCAL_RANK", "0"))


ALONE = Processes()
"""One process for everything."""


@contextmanager
def started_processes() -> Iterator[Processes]:
    """The processes that a launcher has started, or this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    dist.init_process_group()  # every backend there is, each for the tensors of its device
    try:
        sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        yield Processes(dist.get_rank(), count, sharded)
    finally:
        dist.destroy_process_group()
