"""Arrays whose arithmetic rounds at random, so that `numpy_ref.ops` runs on them unchanged.

A `Rounded` array holds float64 numbers on the grid of a lower precision. Whatever NumPy computes from it
is rounded to that grid too, as rounding.py says. Some functions of NumPy return plain arrays
(`np.ascontiguousarray`), so `RoundedOps` marks the arguments and results of each op again.
"""

import math
from dataclasses import replace

import numpy as np

import numpy_ref.ops
from numpy_ref.position._offset import OffsetBias
from numpy_ref.position.fire import FIRE

# The error that a library's function may have, in eps: measured 1.7 (NumPy's exp) and 3.1 (erf in
# PyTorch's gelu). NumPy has no erf, so `numpy_ref.ops` calls Python's, which makes object arrays.
ULPS = dict.fromkeys((np.exp, np.log, np.log1p, np.log2, np.sin, np.cos, np.power, np.tanh), 2)
ERF_ULPS = 4


class Rounded(np.ndarray):
    """An array made by `on_grid`; rounding: the Rounding of its results."""

    rounding = None

    def __array_finalize__(self, other):
        self.rounding = getattr(other, "rounding", None)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        rounding = _finest((*inputs, *(out or ())))
        plain = [_plain(x, rounding) for x in inputs]
        if method == "at":
            return _add_at(rounding, ufunc, inputs[0], *plain[1:])
        if ufunc is np.matmul:
            result = _matmul(rounding, *plain)
        elif ufunc is np.add and method == "reduce":
            result = _add_reduce(rounding, *plain, **kwargs)
        else:
            ulps = ULPS.get(ufunc, 0)
            compute = rounding.float64.function(ufunc) if ulps else getattr(ufunc, method)
            result = _fitted(rounding, compute(*plain, **kwargs), ulps)
        if out is None:
            return on_grid(result, rounding)
        np.asarray(out[0])[...] = result
        return out[0]

    def __array_function__(self, function, types, args, kwargs):
        rounding = _finest(args)
        args, kwargs = _plain(args, rounding), _plain(kwargs, rounding)
        own = {np.bincount: _bincount, np.einsum: _einsum, np.linalg.solve: _solve}.get(function)
        if own:
            return on_grid(own(rounding, *args, **kwargs), rounding)
        return on_grid(_fitted(rounding, function(*args, **kwargs)), rounding)


def on_grid(x, rounding):
    """Return x with every float array in it, also within tuples, rounded and marked as Rounded.

    With rounding None x is returned as it is. A Python number is rounded later, where it meets an array.
    """
    if rounding is None:
        return x
    if isinstance(x, tuple):
        return _like(x, (on_grid(each, rounding) for each in x))
    if isinstance(x, Rounded) or not isinstance(x, np.ndarray | np.generic) or x.dtype.kind != "f":
        return x
    marked = np.asarray(rounding.round(x)).view(Rounded)
    marked.rounding = rounding
    return marked


def round_weights(module, rounding):
    """Mark the module's parameters as Rounded; computed tables are rounded as float32.

    Both twins compute such a table in float32 (`torch_impl/wide.py`) and round it once, at the end.
    """
    wide = replace(rounding, dtype="float32")
    for part in module.modules():
        computes = isinstance(part, OffsetBias | FIRE)
        for parameter in part.parameters():
            parameter.data = on_grid(np.asarray(parameter.data), wide if computes else rounding)
        if computes:
            table, backward = part.table, part.table_backward
            part.table = lambda *sizes, table=table: on_grid(np.asarray(table(*sizes)), rounding)
            part.table_backward = lambda d, backward=backward: backward(on_grid(np.asarray(d), wide))


class RandomRounding:
    """The arithmetic of one run of a `Rounding`, for `run.run_numpy`."""

    def __init__(self, rounding):
        self.rounding, self.ops = rounding, RoundedOps(rounding)

    def mark(self, x):
        return on_grid(x, self.rounding)

    def mark_weights(self, module):
        round_weights(module, self.rounding)


# Ops whose half precision is defined as float32, rounded once: in float16 their guard 1e-12 would be 0.
WIDE = {"cosine_forward", "cosine_backward"}


class RoundedOps:
    """`numpy_ref.ops` with `Rounded` arrays as arguments and results; caches are not marked."""

    def __init__(self, rounding):
        self._rounding = rounding

    def __getattr__(self, name):
        op = getattr(numpy_ref.ops, name)

        def rounded_op(*args, **kwargs):
            rounding = _finest((args, kwargs)) or self._rounding
            if name in WIDE:
                out = op(*_marked(args, replace(rounding, dtype="float32")), **kwargs)
                if name.endswith("_forward"):
                    return _marked(out[0], rounding), out[1]
                return _marked(out, rounding)
            marked = on_grid(args, rounding)
            out = op(*marked, **{k: on_grid(v, rounding) for k, v in kwargs.items()})
            if name == "adamw_update":  # writes into its arguments
                for given, updated in zip(args[:4], marked[:4], strict=True):
                    given[...] = updated
            if name.endswith("_forward") and isinstance(out, tuple):
                return on_grid(out[0], rounding), out[1]
            return on_grid(out, rounding)

        return rounded_op


def _marked(x, rounding):
    """Return x with every float array in it on the grid of `rounding`, also one that was on another."""
    if isinstance(x, tuple):
        return _like(x, [_marked(each, rounding) for each in x])
    return on_grid(np.asarray(x), rounding) if isinstance(x, np.ndarray) else x


def _finest(x):
    """Return the rounding with the smallest eps of all arrays in x, as NumPy's promotion would."""
    if isinstance(x, Rounded):
        return x.rounding
    if isinstance(x, dict):
        x = list(x.values())
    if not isinstance(x, list | tuple):
        return None
    found = [rounding for rounding in map(_finest, x) if rounding]
    return min(found, key=lambda rounding: rounding.eps, default=None)


def _plain(x, rounding):
    """Return x with plain arrays in place of Rounded ones, and constants rounded."""
    if isinstance(x, list | tuple):
        return _like(x, [_plain(each, rounding) for each in x])
    if isinstance(x, dict):
        return {name: _plain(each, rounding) for name, each in x.items()}
    if isinstance(x, Rounded):
        return np.asarray(x)
    return rounding.round(x) if _is_float(x) else x


def _is_float(x):
    return isinstance(x, float) or (isinstance(x, np.ndarray | np.generic) and x.dtype.kind == "f")


def _like(sequence, elements):
    kind = type(sequence)
    return kind(*elements) if hasattr(sequence, "_fields") else kind(elements)


def _fitted(rounding, x, ulps=0):
    """Round the result of a NumPy function; ulps: the function's own error in eps."""
    if isinstance(x, list | tuple):
        return _like(x, [_fitted(rounding, each, ulps) for each in x])
    if isinstance(x, np.ndarray) and x.dtype == object:
        x, ulps = x.astype(np.float64), ERF_ULPS
    if not _is_float(x):
        return x
    return rounding.function(x, ulps) if ulps else rounding.round(x)


def _matmul(rounding, a, b):
    matmul = rounding.float64.matmul
    return rounding.sum(matmul(a, b), matmul(np.square(a), np.square(b)), a.shape[-1])


def _add_reduce(rounding, x, axis=0, dtype=None, keepdims=False, **kwargs):
    if not _is_float(x):
        return np.add.reduce(x, axis=axis, keepdims=keepdims)
    total, squares = (
        rounding.float64.add(each, axis=axis, keepdims=keepdims) for each in (x, np.square(x))
    )
    return rounding.sum(total, squares, x.size // max(1, np.size(total)))


def _bincount(rounding, rows, weights=None, minlength=0):
    counts = np.bincount(rows, minlength=minlength)
    if weights is None:
        return counts
    total, squares = (np.bincount(rows, w, minlength) for w in (weights, np.square(weights)))
    return rounding.sum(total, squares, counts)


def _einsum(rounding, spec, *operands, optimize=False):
    einsum = rounding.float64.einsum
    total = einsum(spec, *operands, optimize=optimize)
    squares = einsum(spec, *map(np.square, operands), optimize=optimize)
    labels = spec.split("->")[0].split(",")
    sizes = {
        s: n
        for each, x in zip(labels, operands, strict=True)
        for s, n in zip(each, x.shape, strict=True)
    }
    return rounding.sum(total, squares, math.prod(sizes.values()) // max(1, total.size))


def _solve(rounding, a, b):
    return rounding.float64.solve(a, b)


def _add_at(rounding, ufunc, target, rows, values):
    """Do np.add.at(target, rows, values) in place, with rounding."""
    assert ufunc is np.add, f"{ufunc}.at has no rounding here"
    plain, values = np.asarray(target), np.broadcast_to(values, np.asarray(target)[rows].shape)
    total, squares, counts = plain.copy(), np.square(plain), (plain != 0).astype(np.int64)
    for sums, terms in ((total, values), (squares, np.square(values)), (counts, 1)):
        np.add.at(sums, rows, terms)
    plain[...] = rounding.sum(total, squares, counts)
