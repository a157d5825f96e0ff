"""Layer normalisation of a few rows at a time; keeps the mean and 1/√var instead of x̂."""

import math

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.layer_norm import LayerNormGrads, checked_layer_norm
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.jit import compiled, inner
from .machine.simd import fma, lane, lanes, load_first, only_first, splat, store_first, total
from .machine.threads import PIECE, await_pieces, share, taken
from .sums import SHORT, add_up, empty_sums


def layer_norm_forward(x, weight, bias, eps=1e-6):
    """out = x̂ · weight + bias; see `numpy_ref.ops.layer_norm_forward`."""
    x, weight, bias, eps = checked_layer_norm(x, weight, bias, eps)
    x, weight, bias = contiguous(x, weight, bias)
    width = x.shape[-1]
    out = empty(x.shape, x.dtype)
    mean, rstd = (np.empty(x.size // width, x.dtype) for _ in range(2))
    height, pieces = _cut(len(mean), width)
    threads.run(
        _forward,
        pieces,
        mean,
        rstd,
        *addresses(x, weight, bias, out),
        width,
        eps,
        height,
    )
    return out, Cache(layer_norm_forward, x, mean, rstd, weight)


def layer_norm_backward(dout, cache, dresidual=None):
    """dx, dweight, dbias; see `numpy_ref.ops.layer_norm_backward`."""
    x, mean, rstd, weight = recall(cache, layer_norm_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    if dresidual is not None:
        dresidual = gradient("dresidual", dresidual, x.shape, x.dtype)
    (dout, dresidual), width = contiguous(dout, dresidual), x.shape[-1]
    height, pieces = _cut(len(mean), width)
    dx, (sums, added_up) = empty(x.shape, x.dtype), empty_sums(pieces, 2 * width, x.dtype)
    threads.run(
        _backward,
        pieces + 1,
        mean,
        rstd,
        *addresses(x, weight, dout, dresidual, dx),
        sums,
        added_up,
        width,
        height,
        scratch=(2 * SHORT, x.dtype),
    )
    return LayerNormGrads(dx, added_up[:width], added_up[width:])


def _cut(rows, width):
    """(rows of a piece, pieces)"""
    height = max(1, PIECE // width)
    return height, -(-rows // height)


@compiled
def _forward(worker, words, helpers, *arguments):
    """out = (x − mean) · rstd · weight + bias; `height` rows a piece.

    SHORT rows at a time, all means first, then all variances: rows do not wait for one another.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, mean, rstd, x, weight, bias, out, width, eps, height = arguments
    count, size = lanes(mean), mean.itemsize
    for piece in taken(progress, pieces):
        last = min(piece * height + height, mean.size)
        for first in range(piece * height, last, SHORT):
            end = min(first + SHORT, last)
            for i in range(first, end):
                added = splat(mean, 0.0)
                for j in range(0, width, count):
                    added = added + load_first(mean, x + (i * width + j) * size, width - j)
                mean[i] = total(added) / width
            for i in range(first, end):
                squares = splat(mean, 0.0)
                for j in range(0, width, count):
                    centred = load_first(mean, x + (i * width + j) * size, width - j) - mean[i]
                    squares = squares + only_first(centred * centred, width - j)
                rstd[i] = 1 / math.sqrt(total(squares) / width + eps)
            for i in range(first, end):
                for j in range(0, width, count):
                    at, left = (i * width + j) * size, width - j
                    x_hat = (load_first(mean, x + at, left) - mean[i]) * rstd[i]
                    scale, shift = weight + j * size, bias + j * size
                    value = fma(x_hat, load_first(mean, scale, left), load_first(mean, shift, left))
                    store_first(out + at, value, left)


@compiled
def _backward(worker, words, helpers, *arguments):
    """dx, and the sums over all rows of dout · x̂ and of dout one after the other, in float64.

    dresidual is added to dx; there is none at address 0. The last piece adds up those of the others.
    scratch: of SHORT rows the means of g and of g · x̂, g = dout · weight.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, mean, rstd, x, weight, dout, dresidual, dx = arguments[:10]
    sums, added_up, width, height = arguments[10:]
    scratch = scratches[worker]
    count, size = lanes(mean), mean.itemsize
    for piece in taken(progress, pieces):
        if piece == pieces - 1:
            await_pieces(progress, piece)
            add_up(sums, added_up)
        last = min(piece * height + height, mean.size)
        for first in range(piece * height, last, SHORT):
            end = min(first + SHORT, last)
            for i in range(first, end):
                plain, along = splat(mean, 0.0), splat(mean, 0.0)
                for j in range(0, width, count):
                    at, left = (i * width + j) * size, width - j
                    x_hat = (load_first(mean, x + at, left) - mean[i]) * rstd[i]
                    g = load_first(mean, dout + at, left) * load_first(mean, weight + j * size, left)
                    plain, along = plain + g, fma(g, x_hat, along)
                scratch[2 * (i - first)] = total(plain) / width
                scratch[2 * (i - first) + 1] = total(along) / width
            for i in range(first, end):
                mean_g, mean_along = scratch[2 * (i - first)], scratch[2 * (i - first) + 1]
                for j in range(0, width, count):
                    at, left = (i * width + j) * size, width - j
                    x_hat = (load_first(mean, x + at, left) - mean[i]) * rstd[i]
                    g = load_first(mean, dout + at, left) * load_first(mean, weight + j * size, left)
                    change = (g - mean_g - x_hat * mean_along) * rstd[i]
                    if dresidual:
                        change = change + load_first(mean, dresidual + at, left)
                    store_first(dx + at, change, left)
            _add_short(mean, rstd, x, dout, sums[piece], width, first, end)


@inner
def _add_short(mean, rstd, x, dout, sums, width, first, last):
    """sums (2 · width, float64) += Σ over a few rows of dout · x̂ and of dout, in their own precision."""
    count, size = lanes(mean), mean.itemsize
    for j in range(0, width, count):
        left = min(width - j, count)
        dweight, dbias = splat(mean, 0.0), splat(mean, 0.0)
        for i in range(first, last):
            at = (i * width + j) * size
            d = load_first(mean, dout + at, left)
            dweight = fma(d, (load_first(mean, x + at, left) - mean[i]) * rstd[i], dweight)
            dbias = dbias + d
        for n in range(left):
            sums[j + n] += lane(dweight, n)
            sums[width + j + n] += lane(dbias, n)
