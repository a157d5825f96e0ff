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
from .sums import SHORT, add_up, zero_sums


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
    dout, dresidual = contiguous(dout, dresidual)
    width = x.shape[-1]
    height, pieces = _cut(len(mean), width)
    dx = empty(x.shape, x.dtype)
    sums, sums_total = zero_sums(pieces, 2 * width, x.dtype)
    *inputs, dx_start = addresses(x, weight, dout, dresidual, dx)
    threads.run(
        _backward,
        pieces + 1,
        mean,
        rstd,
        tuple(inputs),
        dx_start,
        sums,
        sums_total,
        width,
        height,
        scratch=(2 * SHORT, x.dtype),
    )
    return LayerNormGrads(dx, sums_total[:width], sums_total[width:])


def _cut(rows, width):
    """(rows of a piece, pieces)"""
    height = max(1, PIECE // width)
    return height, -(-rows // height)


@compiled
def _forward(worker, words, helpers, *arguments):
    """out = x̂ · weight + bias, x̂ = (x − mean) · rstd; `height` rows a piece.

    x, out: (rows, width), as addresses; mean, rstd: (rows,). SHORT rows at a time, all means first, then
    all variances: rows do not wait for one another.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, mean, rstd, x, weight, bias, out, width, eps, height = arguments
    like = mean
    count, size = lanes(like), like.itemsize
    for piece in taken(progress, pieces):
        piece_end = min(piece * height + height, mean.size)
        for first in range(piece * height, piece_end, SHORT):
            end = min(first + SHORT, piece_end)
            # 1  mean = Σ_j x / width
            for i in range(first, end):
                sums = splat(like, 0.0)
                for j in range(0, width, count):
                    sums = sums + load_first(like, x + (i * width + j) * size, width - j)
                mean[i] = total(sums) / width
            # 2  rstd = 1 / √(Σ_j (x − mean)² / width + ε)
            for i in range(first, end):
                squares = splat(like, 0.0)
                for j in range(0, width, count):
                    centred = load_first(like, x + (i * width + j) * size, width - j) - mean[i]
                    squares = squares + only_first(centred * centred, width - j)
                rstd[i] = 1 / math.sqrt(total(squares) / width + eps)
            # 3  out = (x − mean) · rstd · weight + bias
            for i in range(first, end):
                for j in range(0, width, count):
                    offset, left = (i * width + j) * size, width - j
                    x_hat = (load_first(like, x + offset, left) - mean[i]) * rstd[i]
                    scale, shift = weight + j * size, bias + j * size
                    value = fma(x_hat, load_first(like, scale, left), load_first(like, shift, left))
                    store_first(out + offset, value, left)


@compiled
def _backward(worker, words, helpers, *arguments):
    """dx = rstd · (g − Σ g / width − x̂ · Σ g x̂ / width) + dresidual, g = dout · weight, and sums.

    x, dout, dresidual, dx: (rows, width), as addresses; no dresidual at address 0. sums: (pieces − 1,
    2 · width) in float64, Σ dout · x̂ and Σ dout over the rows of a piece; the last piece adds them up.
    scratch: the two means of SHORT rows.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, mean, rstd, inputs, dx, sums, sums_total, width, height = arguments
    x, weight, dout, dresidual = inputs
    scratch = scratches[worker]
    like = mean
    count, size = lanes(like), like.itemsize
    for piece in taken(progress, pieces):
        if piece == pieces - 1:
            await_pieces(progress, piece)
            add_up(sums, sums_total)  # no rows are left: the loop below is empty
        piece_end = min(piece * height + height, mean.size)
        for first in range(piece * height, piece_end, SHORT):
            end = min(first + SHORT, piece_end)
            # 3  Σ_j g / width and Σ_j g x̂ / width (2.5 % slower as a function of its own)
            for i in range(first, end):
                sum_g, sum_g_x_hat = splat(like, 0.0), splat(like, 0.0)
                for j in range(0, width, count):
                    offset, left = (i * width + j) * size, width - j
                    x_hat = (load_first(like, x + offset, left) - mean[i]) * rstd[i]
                    g = load_first(like, dout + offset, left) * load_first(like, weight + j * size, left)
                    sum_g, sum_g_x_hat = sum_g + g, fma(g, x_hat, sum_g_x_hat)
                scratch[2 * (i - first)] = total(sum_g) / width
                scratch[2 * (i - first) + 1] = total(sum_g_x_hat) / width
            # 2, 1  dx = rstd · (g − Σ g / width − x̂ · Σ g x̂ / width) + dresidual
            for i in range(first, end):
                mean_g, mean_g_x_hat = scratch[2 * (i - first)], scratch[2 * (i - first) + 1]
                for j in range(0, width, count):
                    offset, left = (i * width + j) * size, width - j
                    x_hat = (load_first(like, x + offset, left) - mean[i]) * rstd[i]
                    g = load_first(like, dout + offset, left) * load_first(like, weight + j * size, left)
                    change = (g - mean_g - x_hat * mean_g_x_hat) * rstd[i]
                    if dresidual:
                        change = change + load_first(like, dresidual + offset, left)
                    store_first(dx + offset, change, left)
            _add_short(mean, rstd, x, dout, sums[piece], width, first, end)


@inner
def _add_short(mean, rstd, x, dout, sums, width, first, end):
    """sums (2 · width,) += Σ dout · x̂ and Σ dout over a few rows, short sums in x's precision."""
    like = mean
    count, size = lanes(like), like.itemsize
    for j in range(0, width, count):
        left = min(width - j, count)
        dweight, dbias = splat(like, 0.0), splat(like, 0.0)
        for i in range(first, end):
            offset = (i * width + j) * size
            d = load_first(like, dout + offset, left)
            dweight = fma(d, (load_first(like, x + offset, left) - mean[i]) * rstd[i], dweight)
            dbias = dbias + d
        for n in range(left):
            sums[j + n] += lane(dweight, n)
            sums[width + j + n] += lane(dbias, n)
