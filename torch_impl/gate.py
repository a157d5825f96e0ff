"""The gate: checks what an op is given, before PyTorch computes anything.

The rules are the NumPy twin's, with the same exception types. Arguments are tensors. Floats share one
floating dtype in a call (autocast may mix them) and are never converted. Integers have any dtype but
bool and become int64. Dtypes and shapes alone decide, so that an op can be traced.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

INTEGERS = {
    *(torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
}


def floating(optional: Mapping[str, Tensor | None] | None = None, /, **tensors: Tensor) -> list[Any]:
    """Return the tensors, then those of the dict `optional`, which may be None.

    Raises TypeError for what is no floating tensor, or if the dtypes differ.
    """
    optional = optional or {}
    given = tensors | {name: x for name, x in optional.items() if x is not None}
    for name, x in given.items():
        check_tensor(name, x)
        if not x.is_floating_point():
            raise TypeError(f"{name} has dtype {x.dtype}, expected a floating dtype")
    if len({x.dtype for x in given.values()}) > 1:
        device = next(iter(given.values())).device.type
        if not torch.is_autocast_enabled(device):
            listed = ", ".join(f"{name}: {x.dtype}" for name, x in given.items())
            raise TypeError(f"arguments must share one dtype, got {listed}")
    return [*tensors.values(), *optional.values()]


def integers(name: str, tensor: Any, *shape: int | None) -> Tensor:
    """Return the integers as int64, of this shape (None for any size); raises TypeError/ValueError."""
    check_tensor(name, tensor)
    if tensor.dtype not in INTEGERS:
        raise TypeError(f"{name} has dtype {tensor.dtype}, expected an integer dtype")
    check_shape(name, tensor, shape)
    return tensor.long()


def check_tensor(name: str, x: Any) -> None:
    """Check for a tensor; raises TypeError."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}, expected a tensor")


def check_shape(name: str, tensor: Tensor, expected: Sequence[int | None]) -> None:
    """Check that the tensor has the `expected` shape, in which None stands for any size.

    Raises ValueError.
    """
    shape = tuple(tensor.shape)
    fits = len(shape) == len(expected) and all(
        e is None or s == e for s, e in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise ValueError(f"{name} has shape {shape}, expected ({wanted})")


def check_entries(name: str, tensor: Tensor, count: int) -> None:
    """Check that all integers are in [0, count); raises ValueError."""
    if tensor.numel():
        low, high = int(tensor.min()), int(tensor.max())
        if low < 0 or high >= count:
            raise ValueError(f"{name} has entries in [{low}, {high}], expected [0, {count})")


def last_axis(name: str, tensor: Tensor) -> int:
    """Return the length of the last axis; raises ValueError for a tensor without axes."""
    if not tensor.dim():
        raise ValueError(f"{name} has shape (), expected at least one axis")
    return tensor.shape[-1]


def check_input(x: Tensor, weight: Tensor) -> None:
    """Check that x (..., in) fits a layer with this weight (..., in), dtype included.

    Raises TypeError/ValueError.
    """
    floating(x=x, weight=weight)
    if last_axis("x", x) != weight.shape[-1]:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (..., {weight.shape[-1]})")
