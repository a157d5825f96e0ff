"""The gate: checks what an op is given, before the definition or a kernel computes anything.

A compiled loop trusts what it is told about memory, so nothing reaches one unchecked. The rules:

- An array is a numpy.ndarray. Subclasses (memmap, matrix) are taken as the plain array that they are, a
  NumPy scalar as an array without axes. A subclass with an arithmetic of its own (`__array_ufunc__`)
  stays, and the definition computes with it; a kernel sees its memory. A masked array would lose its
  mask and is refused, as are lists and Python's numbers: TypeError.
- Floats are float32 or float64 in this machine's byte order, one dtype in a call. They are never
  converted: TypeError.
- Integers (index, labels) have any integer dtype and byte order, and become int64; bool is refused:
  TypeError.
- A shape that does not fit, an index outside its table, a number outside its range: ValueError.
- What is only read may have any strides and alignment, be read-only and overlap: a kernel copies what
  its loop cannot read as it is. What is written must be contiguous, aligned, writeable and in memory of
  its own: ValueError.
- backward takes the `Cache` that its own forward returned, with arrays laid out as they were then, and a
  gradient of the output's dtype and shape.

Every message names the argument. NaN and infinities in an array are data and no error.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from numbers import Real
from typing import Any

import numpy as np

from .checks import check_shape
from .types import Array

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
_PLAIN_ARITHMETIC = np.ndarray.__array_ufunc__
_PLAIN = {(np.ndarray, dtype) for dtype in _DTYPES}


def floating(optional: Mapping[str, Array | None] | None = None, /, **arrays: Array) -> list[Any]:
    """Return the arrays as plain ones of one dtype, then those of the dict `optional`, some maybe None.

    Raises TypeError for what is no array of float32 or float64, or if the dtypes differ.
    """
    optional = optional or {}
    given = arrays | {name: a for name, a in optional.items() if a is not None}
    kinds = {(type(a), getattr(a, "dtype", None)) for a in given.values()}
    if len(kinds) > 1 or not kinds <= _PLAIN:
        given = _checked_floats(given)
    return [given.get(name) for name in (*arrays, *optional)]


def _checked_floats(given: dict[str, Any]) -> dict[str, Array]:
    """Return plain arrays of one dtype; raises TypeError."""
    plain = {name: as_plain(name, a) for name, a in given.items()}
    for name, a in plain.items():
        if a.dtype not in _DTYPES:
            raise TypeError(f"{name} has dtype {a.dtype}, expected float32 or float64")
    if len({a.dtype for a in plain.values()}) > 1:
        listed = ", ".join(f"{name}: {a.dtype}" for name, a in plain.items())
        raise TypeError(f"arguments must share one dtype, got {listed}")
    return plain


def as_plain(name: str, array: Any) -> Array:
    """Return the array without its subclass, unless that has an arithmetic of its own.

    Raises TypeError for a masked array and for what is no array.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, expected one without a mask")
    if isinstance(array, np.generic):
        return np.asarray(array)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}, expected a NumPy array")
    return np.asarray(array) if type(array).__array_ufunc__ is _PLAIN_ARITHMETIC else array


def gradient(name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Return the gradient of an output of this shape and dtype as a plain array.

    Raises TypeError/ValueError.
    """
    if type(array) is not np.ndarray:
        array = as_plain(name, array)
    if array.dtype != dtype:
        raise TypeError(f"{name} has dtype {array.dtype}, expected {dtype}")
    check_shape(name, array, shape)
    return array


def as_scalar(name: str, value: Any) -> float:
    """Return the gradient of a number as a float, also for an array without axes; raises TypeError."""
    value = value[()] if isinstance(value, np.ndarray) and not value.ndim else value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}, expected a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is {value!r}, more than a float can be") from None


def integers(name: str, array: Any, *shape: int | None) -> Array:
    """Return the integers as int64, of this shape (None for any size); raises TypeError/ValueError."""
    if type(array) is not np.ndarray:
        array = as_plain(name, array)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}, expected an integer dtype")
    check_shape(name, array, shape)
    return array.astype(np.int64, copy=False)


def check_entries(name: str, array: Array, count: int) -> None:
    """Check that all integers are in [0, count); raises ValueError."""
    if array.size and (array.min() < 0 or array.max() >= count):
        entries = f"[{array.min()}, {array.max()}]"
        raise ValueError(f"{name} has entries in {entries}, expected [0, {count})")


def last_axis(name: str, array: Array) -> int:
    """Return the length of the last axis; raises ValueError for an array without axes."""
    if not array.ndim:
        raise ValueError(f"{name} has shape (), expected at least one axis")
    return array.shape[-1]


def check_input(x: Array, weight: Array) -> None:
    """Check that x (..., in) fits a layer with this weight (..., in), dtype included.

    Raises TypeError/ValueError.
    """
    x, weight = floating(x=x, weight=weight)
    if last_axis("x", x) != weight.shape[-1]:
        raise ValueError(f"x has shape {x.shape}, expected (..., {weight.shape[-1]})")


def check_written(written: dict[str, Array], read: dict[str, Array]) -> None:
    """Check the arrays that a loop writes: contiguous, writeable, aligned, and none overlaps another.

    written, read: dicts of arrays. Raises ValueError.
    """
    for name, a in written.items():
        if not a.flags.c_contiguous:
            raise ValueError(f"{name} is not contiguous, but is to be written in place")
        if not a.flags.writeable:
            raise ValueError(f"{name} is read-only, but is to be written in place")
        if not a.flags.aligned:
            raise ValueError(f"{name} is not aligned, but is to be written in place")
    arrays = (written | read).items()
    for (name, a), (other, b) in combinations(arrays, 2):
        if np.may_share_memory(a, b) and np.shares_memory(a, b):
            raise ValueError(f"{other} overlaps {name}, expected memory of its own for each")


class Cache:
    """What forward keeps for its own backward: values, and the memory layout of arrays among them."""

    __slots__ = ("forward", "layouts", "values")

    def __init__(self, forward: Callable[..., Any], *values: Any):
        self.forward, self.values = forward, values
        self.layouts = [_layout(value) for value in values]


def made_by(cache: Any, forward: Callable[..., Any]) -> bool:
    """Return whether the cache is one that `forward` returned."""
    return type(cache) is Cache and cache.forward is forward


def recall(cache: Any, forward: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the values that `forward` put into the cache.

    Raises TypeError for the cache of another forward, ValueError if an array's layout has changed since.
    """
    if not made_by(cache, forward):
        found = _name(cache.forward) if type(cache) is Cache else type(cache).__name__
        raise TypeError(f"cache is that of {found}, expected what {_name(forward)} returned")
    if [_layout(value) for value in cache.values] != cache.layouts:
        raise ValueError("cache has arrays of another shape, dtype or layout than forward left in it")
    return cache.values


def _layout(value: Any) -> tuple[Any, ...] | None:
    """Return what a loop relies on: shape, strides and dtype of an array; None for anything else."""
    return (value.shape, value.strides, value.dtype) if type(value) is np.ndarray else None


def _name(forward: Callable[..., Any]) -> str:
    return f"{forward.__module__}.{forward.__name__}"
