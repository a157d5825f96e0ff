"""Tensors of any dtype as NumPy arrays of the same bits.

NumPy has no bfloat16 and no float8: those are arrays of unsigned integers. Nothing here computes with
them: a tensor is renamed, split, joined or reordered.
"""

from typing import NamedTuple

import numpy as np

# By the names that safetensors has for dtypes.
PLAIN = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
BITS = {"BF16": np.uint16, "F8_E4M3": np.uint8, "F8_E5M2": np.uint8}
CODES = {np.dtype(dtype): code for code, dtype in PLAIN.items()}


class Tensor(NamedTuple):
    """code: the dtype, as safetensors calls it; array: its bits, with the tensor's shape."""

    code: str
    array: np.ndarray

    @property
    def shape(self):
        return self.array.shape

    def with_array(self, array):
        return Tensor(self.code, array)


def as_tensor(name, value):
    """Return a Tensor or an ndarray as a Tensor; raises TypeError naming it."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray) or value.dtype not in CODES:
        came = getattr(value, "dtype", type(value).__name__)
        raise TypeError(f"{name} is {came}, expected an ndarray of numbers")
    return Tensor(CODES[value.dtype], value)


def join(names, tensors):
    """Join pieces along their first axis; None is a piece of zeros, shaped like the others.

    names: of the pieces that are not None. Raises ValueError if their dtypes or shapes differ.
    """
    stored = [tensor for tensor in tensors if tensor is not None]
    if len({(tensor.code, tensor.shape) for tensor in stored}) > 1:
        came = ", ".join(f"{n} {t.code} {t.shape}" for n, t in zip(names, stored, strict=True))
        raise ValueError(f"{came}: expected one dtype and shape, they are pieces of one tensor")
    if len(tensors) == 1:
        return stored[0]
    zeros = np.zeros_like(stored[0].array)
    return stored[0].with_array(np.concatenate([zeros if t is None else t.array for t in tensors]))


def split(tensor, number):
    """Return `number` equal pieces of the tensor along its first axis, the inverse of `join`."""
    return (
        [tensor.with_array(piece) for piece in np.split(tensor.array, number)]
        if number > 1
        else [tensor]
    )


def like(code, array):
    """Return an array as a Tensor; floats get the dtype `code`, if that is one for weights."""
    if array.dtype.kind != "f" or code not in ("F64", "F32", "F16", "BF16"):
        return Tensor(CODES[array.dtype], array)
    if code == "BF16":  # to nearest, to even
        bits = array.astype(np.float32).view(np.uint32)
        return Tensor(code, ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16))
    return Tensor(code, array.astype(PLAIN[code]))


def numbers(tensor):
    """Return the values of a tensor as an ndarray that NumPy can compute with."""
    if tensor.code == "BF16":
        return (tensor.array.astype(np.uint32) << 16).view(np.float32)
    return tensor.array
