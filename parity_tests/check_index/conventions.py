"""The conventions: which row of the table each pair of tokens reads."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def places_in(grid):
    """Return the place of each cell of a grid, row-major: (Π grid, axes)."""
    return np.indices(grid).reshape(len(grid), -1).T


def offsets_between(places):
    """Return place of the query − place of the key: (L, L, axes)."""
    return places[:, None] - places[None]


def mixed_radix(lengths, order=None):
    """Return the strides of a row-major table; order: of its axes, the last one has stride 1."""
    order = range(len(lengths)) if order is None else order
    strides, stride = [0] * len(lengths), 1
    for axis in reversed(order):
        strides[axis], stride = stride, stride * lengths[axis]
    return tuple(strides)


@dataclass(frozen=True)
class Linear:
    """row = constant + Σ over the axes of stride · offset, or of stride · |offset|."""

    strides: tuple[int, ...]
    constant: int
    num_rows: int
    distance: bool = False

    def rows(self, offsets):
        steps = np.abs(offsets) if self.distance else offsets
        return self.constant + steps @ np.array(self.strides)


@dataclass(frozen=True)
class Buckets:
    """T5's buckets of one axis: exact distances, then ranges that grow up to `max_distance`."""

    bidirectional: bool
    num_rows: int = 32
    max_distance: int = 128

    def rows(self, offsets):
        found, place = np.unique(offsets[..., 0], return_inverse=True)
        return np.array([self.bucket(int(n)) for n in found])[place].reshape(offsets.shape[:-1])

    def bucket(self, offset):
        if not self.bidirectional:
            return self.bucket_of_distance(max(offset, 0), self.num_rows)
        half = self.num_rows // 2
        return half * (offset < 0) + self.bucket_of_distance(abs(offset), half)

    def bucket_of_distance(self, distance, buckets):
        """Count the edges exact · (max_distance / exact)^(n / steps) up to the distance, in integers."""
        exact = buckets // 2
        steps = buckets - exact
        passed = [
            exact ** (steps - n) * self.max_distance**n <= distance**steps for n in range(1, steps)
        ]
        return distance if distance < exact else exact + sum(passed)


def by_offset(window, order=None):
    """A row per offset query − key, row-major from the lowest offset on."""
    lengths = [2 * size - 1 for size in window]
    strides = mixed_radix(lengths, order)
    return [Linear(strides, sum_of(strides, window), math.prod(lengths))]


def by_opposite_offset(window, order=None):
    """The same with key − query."""
    return [
        Linear(tuple(-s for s in plane.strides), plane.constant, plane.num_rows)
        for plane in by_offset(window, order)
    ]


def by_distance(window, order=None):
    """A row per (|Δy|, |Δx|), row-major."""
    return [Linear(mixed_radix(window, order), 0, math.prod(window), distance=True)]


def by_axis(window, order=None):
    """An index per axis, each into a table of its own: the offset along that axis."""
    order = range(len(window)) if order is None else order
    units = np.eye(len(window), dtype=int)[list(order)]
    return [
        Linear(tuple(unit.tolist()), window[axis] - 1, 2 * window[axis] - 1)
        for unit, axis in zip(units, order, strict=True)
    ]


def sum_of(strides, window):
    """Return the constant that makes the lowest row 0: Σ |stride| · (size − 1)."""
    return sum(abs(stride) * (size - 1) for stride, size in zip(strides, window, strict=True))


@dataclass(frozen=True)
class Convention:
    """planes(window, order): the rows for each index, one index but for tables per axis.

    order: of the table's axes. users: who has it. one_axis: whether it is for sequences only.
    """

    words: str
    users: str
    planes: Callable
    one_axis: bool = False
    per_axis: bool = False


CONVENTIONS = {
    "swin": Convention(
        "a row per offset query − key, row-major",
        "Swin, Swin V2, Video Swin, BEiT, timm's RelPosBias",
        by_offset,
    ),
    "maxvit": Convention(
        "a row per offset key − query, row-major",
        "MaxViT and CoAtNet in TensorFlow, timm's RelPosBiasTf",
        by_opposite_offset,
    ),
    "levit": Convention(
        "a row per distance along each axis, row-major",
        "LeViT, TinyViT, EfficientFormer",
        by_distance,
    ),
    "t5": Convention(
        "32 buckets of distances up to 128, keys before and after the query apart",
        "T5's encoder, MPNet",
        lambda window, order=None: [Buckets(True)],
        one_axis=True,
    ),
    "t5_decoder": Convention(
        "32 buckets of distances up to 128, of keys before the query",
        "T5's decoder",
        lambda window, order=None: [Buckets(False)],
        one_axis=True,
    ),
    "decomposed": Convention(
        "an index per axis, of the offset query − key there",
        "MViTv2, SAM, ViTDet",
        by_axis,
        per_axis=True,
    ),
}

# The rows, after those of the offsets, of prefix→token, token→prefix and prefix→prefix pairs
# (query→key): three rows (BEiT); one row for all; one for prefix→token, masked, and one for the others.
PREFIX_STYLES = ((0, 1, 2), (0, 0, 0), (1, 0, 0))
