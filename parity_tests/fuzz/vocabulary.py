"""What the text of a call consists of: arrays, each beside a guard page, and what spoils them.

Functions in SPELLINGS give the same values in another form; what a call accepts must not depend on it
in its results.
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
    """N(0, 1)"""
    return place(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def integers(shape, high, dtype="int64", seed=0):
    """Uniform in [0, high)"""
    return place(np.random.default_rng(seed).integers(0, max(high, 1), shape).astype(dtype))


def masking(shape, dtype="float64", seed=0):
    """0 or −100, an additive mask"""
    return place(np.where(np.random.default_rng(seed).random(shape) < 0.3, -100, 0).astype(dtype))


def multiplier(shape, dtype="float64", seed=0):
    """0 or 1 / (1 − 0.25), a drawn dropout"""
    return place(((np.random.default_rng(seed).random(shape) >= 0.25) / 0.75).astype(dtype))


def fortran(a):
    """Laid out in the other order."""
    return place(a.T).T


def strided(a):
    """Every second element of a longer array, the last (first) at the guard page."""
    if not a.ndim:
        return a
    wide = empty((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    view = wide[..., 1::2] if SIDE == "end" else wide[..., ::2]
    view[...] = a
    return view


def backwards(a):
    """A negative stride along the last axis."""
    return place(a[..., ::-1])[..., ::-1] if a.ndim else a


def stretched(a):
    """Its first part along the first axis, repeated with stride 0."""
    return np.broadcast_to(place(a[:1]), a.shape) if a.ndim else a


def misaligned(a):
    """One byte beside a multiple of its size."""
    return place(a, shift=1)


def readonly(a):
    a = place(a)
    a.flags.writeable = False
    return a


def mapped(a):
    """A memmap of a file."""
    if not a.size:
        return a
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the map keeps it
    copy = np.memmap(file, a.dtype, "w+", shape=a.shape)
    copy[...] = a
    return copy


def byteswapped(a):
    return place(a.astype(a.dtype.newbyteorder()))


class Subclass(np.ndarray):
    """Of ndarray, changing nothing."""


def subclass(a):
    return a.view(Subclass)


def matrix(a):
    """np.matrix where there are two axes, whose * is another."""
    return np.asmatrix(a) if a.ndim == 2 else a.view(Subclass)


def masked(a):
    """A masked array with every second element hidden."""
    return np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) % 2 == 1)


def as_list(a):
    return a.tolist()


@dataclass
class OtherTwin:
    """Handed to each twin as the other's kind of array."""

    array: np.ndarray


def other_twin(a):
    return OtherTwin(np.ascontiguousarray(a.astype(a.dtype.newbyteorder("="))))


def cast(a, dtype):
    return place(a.astype(dtype))


def narrowed(a, dtype):
    """Integers that this dtype can hold."""
    return cast(a, dtype)


def without_axis(a):
    return place(a[0] if len(a) else np.zeros(a.shape[1:], a.dtype))  # each side is given the same


def with_axis(a):
    return place(a[None])


def longer(a, axis):
    """One more along an axis."""
    return _taken(a, [*range(a.shape[axis]), 0], axis) if a.size else place(a[None])


def shorter(a, axis):
    """One less along an axis."""
    return _taken(a, range(max(a.shape[axis] - 1, 0)), axis)


def emptied(a, axis):
    """Nothing along an axis."""
    return _taken(a, (), axis)


def _taken(a, places, axis):
    return place(np.take(a, np.array(places, np.int64), axis))


def with_entry(a, value, seed=0):
    """One element replaced."""
    a = place(a)
    if a.size:
        a.reshape(-1)[seed % a.size] = value
    return a


def replaced(container, n, change):
    """The cache or dict with its n-th array (or value) changed; the last where there are fewer."""
    if isinstance(container, dict):
        name = list(container)[n % len(container)]
        return container | {name: change(container[name])}
    places = list(_paths(container))
    return _put(container, places[n % len(places)], change) if places else change(container)


def without(container, n):
    """A dict or a tuple that lacks one."""
    if isinstance(container, dict):
        name = list(container)[n % len(container)]
        return {key: value for key, value in container.items() if key != name}
    return container[:-1] if isinstance(container, tuple) else ()


def _paths(value, path=()):
    """Where in nested tuples the arrays are."""
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
