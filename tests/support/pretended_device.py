"""A device that is not there: tensors compute on the CPU and mind where they claim to be.

Inside `pretending()`, what is made on or moved to `PRETENDED` is a `Pretended` tensor. As on a GPU,
an operation on tensors of two devices is an error, except for single numbers and indices on the
CPU, and so are a generator of another device and a view as a NumPy array. Values are those of the
CPU, so that a result on the device can be compared with one without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

PRETENDED = torch.device("meta")
"""The name it goes by: the only one whose tensors torch can differentiate where it is not."""

_INDEXED = ("index.Tensor", "index_put.default", "index_put_.default", "_unsafe_index.Tensor")
_MOVES = ("_to_copy.default", "copy_.default")
_REFUSED: set[torch.dtype] = set()


class Pretended(torch.Tensor):
    """A tensor that claims to be elsewhere, and its values."""

    values: torch.Tensor

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> "Pretended":
        made = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, values.stride(), values.storage_offset(), dtype=values.dtype,
            device=PRETENDED,
        )  # fmt: skip
        if values.dtype in _REFUSED:
            raise TypeError(f"{PRETENDED} has no {values.dtype}")
        made.values = values
        return made

    def __repr__(self) -> str:
        return f"Pretended({self.values!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Making(TorchDispatchMode):
    """Catches what is made on the device, or moved to it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Lists(TorchFunctionMode):
    """Lists become tensors on the device, and the other way round, without a word to the others."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist:
            return args[0].cpu().tolist() if isinstance(args[0], Pretended) else func(*args)
        if func is torch.Tensor.new_tensor:
            return torch.tensor(args[1], dtype=args[0].dtype).to(args[0].device)
        device = kwargs.pop("device", None) if func is torch.tensor else None
        made = func(*args, **kwargs)
        return made if device is None else made.to(device)


@contextmanager
def pretending() -> Iterator[None]:
    with _Lists(), _Making():
        yield


@contextmanager
def without_float64() -> Iterator[None]:
    """The device knows no float64, as those of Apple."""
    _REFUSED.add(torch.float64)
    try:
        yield
    finally:
        _REFUSED.clear()


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func.__name__
    given = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
    there = any(isinstance(x, Pretended) for x in given)
    if there and name not in _MOVES:
        _require_one_device(name, args, given)
    wanted = kwargs.get("device")
    goes = there if wanted is None else torch.device(wanted).type == PRETENDED.type
    if goes and kwargs.get("generator") is not None:
        raise RuntimeError(f"{name}: expected a generator of {PRETENDED}, got one of the CPU")
    real = {**kwargs, "device": torch.device("cpu")} if wanted is not None else kwargs
    inner_args, inner_kwargs = tree_map_only(Pretended, lambda t: t.values, (args, real))
    out = func(*inner_args, **inner_kwargs)
    if name == "copy_.default":
        return args[0]
    if not goes:
        return out
    wrapped = tree_map(lambda x: Pretended(x) if isinstance(x, torch.Tensor) else x, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _require_one_device(name: str, args: Any, given: list[torch.Tensor]) -> None:
    if name in _INDEXED and isinstance(args[0], Pretended):
        given = [args[0], *(x for x in args[2:] if isinstance(x, torch.Tensor))]
    elsewhere = [x for x in given if not isinstance(x, Pretended) and x.ndim > 0]
    if elsewhere:
        shapes = ", ".join(str(tuple(x.shape)) for x in elsewhere)
        raise RuntimeError(f"{name}: expected all tensors on one device, {shapes} are on the CPU")


def require_same_elsewhere(make: Any, prompts: Any, clips: Any) -> None:
    """Fails unless a policy scores and samples on the device as it does on the CPU."""
    here = make()
    here.model.eval()
    with pretending():
        there = make()
        there.model.eval().to(PRETENDED)
        assert there.device == PRETENDED
        for ours, theirs in zip(
            here.token_logps(prompts, clips), there.token_logps(prompts, clips), strict=True
        ):
            assert isinstance(theirs, Pretended)
            torch.testing.assert_close(theirs.detach().cpu(), ours.detach())
        sampled = [
            policy.sample(prompts, 2, generator=torch.Generator().manual_seed(1))
            for policy in (here, there)
        ]
    for ours, theirs in zip(sampled[0].tokens, sampled[1].tokens, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    np.testing.assert_allclose(sampled[1].logp, sampled[0].logp, rtol=1e-5)
