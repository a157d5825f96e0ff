"""Argument checks: name the argument, what came and what was expected."""

import math
from collections.abc import Collection, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .sharding import whole

LARGEST = 2**31 - 1  # integer that an option may be: products of two stay within int64
MOST_HEADS, MOST_LAYERS, MOST_PAIRS = 2**16, 2**12, 2**30  # more would hang or fill the memory


def check_positive_int(most: int = LARGEST, /, **values: Any) -> Any:
    """Return each value as Python's int, several as a tuple: integers from 1 to `most`.

    Raises TypeError/ValueError naming the value that is not one.
    """
    return _as_ints(values, 1, most)


def check_natural(**values: Any) -> Any:
    """Return each value as Python's int, several as a tuple: integers from 0 to LARGEST.

    Raises TypeError/ValueError naming the value that is not one.
    """
    return _as_ints(values, 0, LARGEST)


def check_bool(**values: Any) -> None:
    """Check that each value is True or False; raises TypeError."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}, expected True or False")


def check_probability(**values: Any) -> Any:
    """Return each value as Python's float, several as a tuple: drop rates in [0, 1).

    Raises TypeError/ValueError naming the value that is not one.
    """
    rates = [as_number(name, value, "[0, 1)") for name, value in values.items()]
    return tuple(rates) if len(rates) > 1 else rates[0]


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Check that the value is one of `choices`; raises ValueError."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, choices))}")


def check_subset(name: str, value: Any, letters: str) -> None:
    """Check that the value is a string of one or more of `letters`, each at most once.

    Raises ValueError.
    """
    if (
        not isinstance(value, str)
        or not value
        or len(set(value)) < len(value)
        or set(value) - set(letters)
    ):
        raise ValueError(f"{name} is {value!r}, expected some of the letters {letters!r}, each once")


def check_names(name: str, options: Any) -> None:
    """Check that `options` is a dict with names of arguments as keys; raises TypeError."""
    if not isinstance(options, dict):
        raise TypeError(f"{name} is {options!r}, expected a dict")
    for key in options:
        if not isinstance(key, str):
            raise TypeError(f"{name} has the key {key!r}, expected names of arguments")


def check_parts(parts: Any, reserved: Set[str]) -> None:
    """Check that `parts` has at least one dict with names as keys, none of them in `reserved`.

    Raises TypeError/ValueError.
    """
    if not isinstance(parts, Sequence) or not all(isinstance(part, dict) for part in parts):
        raise TypeError(f"parts is {parts!r}, expected a sequence of dicts")
    if not parts:
        raise ValueError("parts is empty, expected at least one scheme")
    for part in parts:
        check_names("parts", part)
        if taken := sorted(reserved & part.keys()):
            raise ValueError(f"parts has {', '.join(taken)}, which is the sum's: give it there")


def as_int(name: str, value: Any, least: float) -> int:
    """Return the value as a Python int of at least `least`; raises TypeError/ValueError."""
    return _as_ints({name: value}, least, math.inf)


def as_number(name: str, value: Any, interval: str = "(-inf, inf)") -> float:
    """Return the value as a Python float in an interval such as "[0, inf)".

    Raises TypeError/ValueError.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}, expected a number in {interval}")
    try:
        number = float(value)
    except OverflowError:  # an integer larger than any float
        number = -math.inf if value < 0 else math.inf
    low, high = map(float, interval[1:-1].split(","))
    open_ends = {end for end, bracket in ((low, interval[0]), (high, interval[-1])) if bracket in "()"}
    if not low <= number <= high or number in open_ends:
        raise ValueError(f"{name} is {value!r}, expected a number in {interval}")
    return number


def as_index(name: str, value: Any, *ndims: int) -> Tensor:
    """Return a tensor of integers, also for nested lists or an array, with one of these numbers of axes.

    Raises TypeError/ValueError.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, expected one without a mask")
    if torch.compiler.is_compiling():  # NumPy's dtypes cannot be traced
        value = torch.as_tensor(value)
    if isinstance(value, torch.Tensor) and value.dtype != torch.uint64:  # whose entries may be too large
        return _as_index(name, value, *ndims)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array of integers: {error}") from None
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} has dtype {array.dtype}, expected integers")
    if array.dtype == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} has the entry {array.max()}, more than an int64 holds")
    return _as_index(name, torch.from_numpy(array.astype(np.int64)), *ndims)


def _as_index(name: str, tensor: Tensor, *ndims: int) -> Tensor:
    """Return a tensor of integers as int64 where it is, without a look at the entries."""
    if tensor.dtype == torch.bool or tensor.is_floating_point() or tensor.is_complex():
        raise TypeError(f"{name} has dtype {tensor.dtype}, expected integers")
    if tensor.dim() not in ndims:
        expected = " or ".join(map(str, ndims))
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {expected} axes")
    return tensor.detach().long()


def as_sizes(name: str, value: Any, ndim: int | None = None, least: int = 1) -> tuple[int, ...]:
    """Return an int or a sequence of ints as a tuple of ints; an int is repeated `ndim` times.

    Raises TypeError/ValueError, also for an entry below `least`.
    """
    if not isinstance(value, Integral | Sequence | torch.SymInt):
        raise TypeError(f"{name} is {value!r}, expected an int or a sequence of ints")
    sizes = tuple(value) if isinstance(value, Sequence) else (value,) * (ndim or 1)
    if not sizes or (ndim is not None and len(sizes) != ndim):
        raise ValueError(f"{name} is {value!r}, expected an int or {ndim or 'at least 1'} ints")
    return tuple(_as_ints({name: size}, least, LARGEST) for size in sizes)


def as_dtype(dtype: Any) -> torch.dtype:
    """Return a floating torch dtype, also for its name; float32 for None.

    Raises TypeError for any other.
    """
    dtype = torch.float32 if dtype is None else dtype
    dtype = getattr(torch, dtype, dtype) if isinstance(dtype, str) else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype!r}, expected a floating torch dtype")
    return dtype


def check_state(
    expected: Mapping[str, Sequence[int]], state: Mapping[str, np.ndarray], prefix: str = ""
) -> None:
    """Check that `state` has the keys and shapes of `expected`, {name: shape}.

    prefix: of the names in the message. Raises ValueError naming what differs.
    """
    missing, unexpected = expected.keys() - state.keys(), state.keys() - expected.keys()
    if missing or unexpected:
        names = (sorted(prefix + name for name in each) for each in (missing, unexpected))
        raise ValueError("state does not fit: missing {}, unexpected {}".format(*names))
    for name, shape in expected.items():
        given, shape = tuple(state[name].shape), tuple(shape)
        if given != shape:
            raise ValueError(f"{prefix}{name} has shape {given} in the state, expected {shape}")


def as_array(x: Tensor) -> np.ndarray:
    """Return a NumPy array of its own; half precision, which NumPy lacks in part, as float32."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return whole(x.detach()).to("cpu", wide, copy=True).numpy()


def _as_ints(values: Mapping[str, Any], least: float, most: float) -> Any:
    """Return the values, integers from `least` to `most`, as Python's ints; several as a tuple.

    A size that torch.export keeps open is no int yet: it passes as it is.
    """
    ints: list[Any] = []
    for name, value in values.items():
        if isinstance(value, torch.SymInt):
            ints.append(value)
            continue
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} is {value!r}, expected an integer")
        ints.append(int(value))
        if not least <= ints[-1] <= most:
            bound = f"at least {least}" if ints[-1] < least else f"at most {most}"
            raise ValueError(f"{name} is {value}, expected {bound}")
    return tuple(ints) if len(ints) > 1 else ints[0]


def check_images(images: np.ndarray) -> None:
    """Check for a NumPy array of real numbers with at least one image; raises TypeError/ValueError."""
    _check_numpy("images", images)
    if images.dtype.kind not in "fiub" or images.dtype.itemsize > 8:
        raise TypeError(f"images has dtype {images.dtype}, expected real numbers of up to 64 bits")
    if not images.ndim or not len(images):
        raise ValueError(f"images has shape {images.shape}, expected at least one image")


def check_batch(images: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    """Check the images, and that each has a label in [0, num_classes); raises TypeError/ValueError."""
    check_images(images)
    _check_numpy("labels", labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels has dtype {labels.dtype}, expected an integer dtype")
    if labels.shape != (len(images),):
        raise ValueError(
            f"labels has shape {labels.shape}, expected one for each of the {len(images)} images"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"labels has entries in [{labels.min()}, {labels.max()}], expected [0, {num_classes})"
        )


def check_training_batch(images: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
    """Check as `check_batch` does; labels may also be floats (N, num_classes), the share of each class.

    Raises TypeError/ValueError.
    """
    if np.ndim(labels) != 2 or getattr(labels, "dtype", None) not in (np.float32, np.float64):
        check_batch(images, labels, num_classes)
        return
    check_images(images)
    _check_numpy("labels", labels)
    if labels.shape != (len(images), num_classes):
        raise ValueError(f"labels has shape {labels.shape}, expected ({len(images)}, {num_classes})")


def check_arrays(state: Any) -> None:
    """Check for a dict with names as keys and NumPy arrays of real numbers; raises TypeError."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state is a {type(state).__name__}, expected a dict of arrays")
    for name, array in state.items():
        if not isinstance(name, str):
            raise TypeError(f"state has the key {name!r}, expected names")
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"{name} is {kind} in the state, expected an array of real numbers")


def _check_numpy(name: str, array: Any) -> None:
    """Check for a NumPy array without a mask, which would be lost; raises TypeError."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}, expected a NumPy array")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, expected one without a mask")
