"""The functions in the text of a call: they make arrays beside guard pages, or make an argument odd.

Functions in SPELLINGS give the same values in another form; if a call accepts the form, its result must
be the same.
"""

import tempfile
from dataclasses import dataclass

import numpy as np

from .guarded import SIDE, empty, place

SPELLINGS = {
    "fortran",
    "strided",
    "backwards",
    "misaligned",
    "readonly",
    "mapped",
    "byteswapped",
    "subclass",
    "matrix",
    "narrowed",
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float64", "bool_"),
}


def normal(shape, dtype="float64", seed=0):
    """Draw from N(0, 1)."""
    return place(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def integers(shape, high, dtype="int64", seed=0):
    """Draw integers uniformly from [0, high)."""
    return place(np.random.default_rng(seed).integers(0, max(high, 1), shape).astype(dtype))


def masking(shape, dtype="float64", seed=0):
    """Draw an additive mask of 0 and −100."""
    return place(np.where(np.random.default_rng(seed).random(shape) < 0.3, -100, 0).astype(dtype))


def multiplier(shape, dtype="float64", seed=0):
    """Draw a dropout multiplier of 0 and 1 / (1 − 0.25)."""
    return place(((np.random.default_rng(seed).random(shape) >= 0.25) / 0.75).astype(dtype))


def fortran(a):
    """Return the array in Fortran order."""
    return place(a.T).T


def strided(a):
    """Return the array as every second element of a longer one, its last (first) at the guard page."""
    if not a.ndim:
        return a
    wide = empty((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    view = wide[..., 1::2] if SIDE == "end" else wide[..., ::2]
    view[...] = a
    return view


def backwards(a):
    """Return the array with a negative stride along the last axis."""
    return place(a[..., ::-1])[..., ::-1] if a.ndim else a


def stretched(a):
    """Return a[0], repeated along the first axis with stride 0."""
    return np.broadcast_to(place(a[:1]), a.shape) if a.ndim else a


def misaligned(a):
    """Return the array one byte off its alignment."""
    return place(a, shift=1)


def readonly(a):
    a = place(a)
    a.flags.writeable = False
    return a


def mapped(a):
    """Return the array as a memmap of a file."""
    if not a.size:
        return a
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the map keeps it
    copy = np.memmap(file, a.dtype, "w+", shape=a.shape)
    copy[...] = a
    return copy


def byteswapped(a):
    return place(a.astype(a.dtype.newbyteorder()))


class Subclass(np.ndarray):
    """A subclass of ndarray that changes nothing."""


def subclass(a):
    return a.view(Subclass)


def matrix(a):
    """Return np.matrix for two axes, where * is a matrix product, otherwise a Subclass."""
    return np.asmatrix(a) if a.ndim == 2 else a.view(Subclass)


def masked(a):
    """Return a masked array with every second element masked."""
    return np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) % 2 == 1)


def as_list(a):
    return a.tolist()


@dataclass
class OtherTwin:
    """An array that each twin gets as the other twin's kind of array."""

    array: np.ndarray


def other_twin(a):
    return OtherTwin(np.ascontiguousarray(a.astype(a.dtype.newbyteorder("="))))


def cast(a, dtype):
    return place(a.astype(dtype))


def narrowed(a, dtype):
    """Return integers as a dtype that can hold them."""
    return cast(a, dtype)


def without_axis(a):
    return place(a[0] if len(a) else np.zeros(a.shape[1:], a.dtype))  # each side is given the same


def with_axis(a):
    return place(a[None])


def longer(a, axis):
    """Return the array with one more entry along an axis."""
    return _taken(a, [*range(a.shape[axis]), 0], axis) if a.size else place(a[None])


def shorter(a, axis):
    """Return the array with one entry fewer along an axis."""
    return _taken(a, range(max(a.shape[axis] - 1, 0)), axis)


def emptied(a, axis):
    """Return the array with no entry along an axis."""
    return _taken(a, (), axis)


def _taken(a, places, axis):
    return place(np.take(a, np.array(places, np.int64), axis))


def with_entry(a, value, seed=0):
    """Return a copy with one element replaced."""
    a = place(a)
    if a.size:
        a.reshape(-1)[seed % a.size] = value
    return a


def replaced(container, n, change):
    """Return the cache or dict with its n-th array or value changed; n is taken modulo their number."""
    if isinstance(container, dict):
        name = list(container)[n % len(container)]
        return container | {name: change(container[name])}
    places = list(_paths(container))
    return _put(container, places[n % len(places)], change) if places else change(container)


def without(container, n):
    """Return a dict without its n-th entry, or a tuple without its last."""
    if isinstance(container, dict):
        name = list(container)[n % len(container)]
        return {key: value for key, value in container.items() if key != name}
    return container[:-1] if isinstance(container, tuple) else ()


def _paths(value, path=()):
    """Yield the path of each array in nested tuples."""
    if isinstance(value, tuple):
        for n, item in enumerate(value):
            yield from _paths(item, (*path, n))
    elif isinstance(value, np.ndarray):
        yield path


def _put(value, path, change):
    if not path:
        return change(value)
    items = list(value)
    items[path[0]] = _put(items[path[0]], path[1:], change)
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
