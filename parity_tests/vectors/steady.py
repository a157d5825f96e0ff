"""Float64 whose bits are the same on every processor, for the runs with random rounding.

NumPy's +, −, ×, ÷ and √ are those of IEEE 754, the same everywhere. Three things differ between
processors and libraries: the order of a sum, fused multiply-add, and functions such as exp.
"""

import decimal
import functools
from decimal import Decimal

import numpy as np

from .functions import FUNCTIONS

DIGITS = 30  # of a function's result, before it is rounded to float64


class Steady:
    """Sums from the first term to the last, and functions that are rounded once."""

    @staticmethod
    def matmul(a, b):
        if a.ndim == 1:
            return Steady.matmul(a[None], b)[..., 0, :]
        if b.ndim == 1:
            return Steady.matmul(a, b[:, None])[..., 0]
        shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        total = np.zeros((*shape, a.shape[-2], b.shape[-1]))
        for k in range(a.shape[-1]):
            total += a[..., :, k, None] * b[..., k, None, :]
        return total

    @staticmethod
    def add(x, axis=0, keepdims=False):
        axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis) % x.ndim)
        for each in axes:  # each keeps the length 1
            zero = np.zeros((*x.shape[:each], 1, *x.shape[each + 1 :]))
            x = np.add.accumulate(np.concatenate([zero, x], each), each).take([-1], each)
        return x if keepdims else x.squeeze(axes)

    @staticmethod
    def einsum(spec, *operands, optimize=False):
        """Multiply the operands, each with all axes, then add up those that are not kept."""
        given, kept = spec.split("->")
        axes = kept + "".join(sorted({*given} - {*kept, ","}))
        aligned = [_aligned(x, own, axes) for x, own in zip(operands, given.split(","), strict=True)]
        product = functools.reduce(np.multiply, aligned)
        return Steady.add(product, tuple(range(len(kept), len(axes))))

    @staticmethod
    def solve(a, b):
        """Return x with a x = b, by elimination with pivots."""
        a, x = a.copy(), b.copy()
        for i in range(len(a)):
            pivot = i + np.argmax(np.abs(a[i:, i]))
            for rows in (a, x):
                rows[[i, pivot]] = rows[[pivot, i]]
            factors = a[i + 1 :, i : i + 1] / a[i, i]
            x[i + 1 :] -= factors * x[i]
            a[i + 1 :] -= factors * a[i]
        for i in reversed(range(len(a))):
            x[i] = (x[i] - Steady.matmul(a[i : i + 1, i + 1 :], x[i + 1 :])[0]) / a[i, i]
        return x

    @staticmethod
    def function(ufunc):
        def compute(*inputs):
            with decimal.localcontext(prec=DIGITS):
                found = FUNCTIONS[ufunc](*(_exact(x) for x in inputs))
            return np.asarray(found).astype(np.float64)

        return compute


_exact = np.frompyfunc(lambda x: Decimal(float(x)), 1, 1)


def _aligned(x, own, axes):
    """Return x with its axes in the order of `axes`, and with the length 1 for one that it lacks."""
    ordered = x.transpose([own.index(name) for name in axes if name in own])
    return np.expand_dims(ordered, [at for at, name in enumerate(axes) if name not in own])
