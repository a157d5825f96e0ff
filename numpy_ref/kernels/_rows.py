"""What goes over its arrays once, row by row or element by element: the loops of the lighter ops.

Arrays are addresses of contiguous memory; `like` is an array of their dtype.
"""

import math

from ._exp import erf, exp
from ._jit import compiled, inner
from ._linear import SHORT, add_up
from ._simd import fma, lane, lanes, load_first, only_first, root, splat, store_first, total
from ._threads import await_pieces, finish_piece, next_piece, share

PIECE = 1 << 14  # elements of a piece of elementwise work: about 10 µs of it
ROW = 1 << 8  # elements that are summed in the array's own precision
ROOT_HALF, DENSITY = 0.7071067811865476, 0.3989422804014327  # 1 / √2, 1 / √(2π)


@compiled
def layer_norm_forward(worker, words, helpers, *arguments):
    """out = (x − mean) · rstd · weight + bias; `height` rows a piece.

    SHORT rows at a time, all means first, then all variances: rows do not wait for one another.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, mean, rstd, x, weight, bias, out, width, eps, height = arguments
    count, size = lanes(mean), mean.itemsize
    piece = next_piece(progress)
    while piece < pieces:
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
        piece = next_piece(progress)


@compiled
def layer_norm_backward(worker, words, helpers, *arguments):
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
    piece = next_piece(progress)
    while piece < pieces:
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
            add_short(mean, rstd, x, dout, sums[piece], width, first, end)
        finish_piece(progress)
        piece = next_piece(progress)


@inner
def add_short(mean, rstd, x, dout, sums, width, first, last):
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


@compiled
def gelu_forward(worker, words, helpers, *arguments):
    """out = x Φ(x)"""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, out, elements = arguments
    size = like.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        first = piece * PIECE
        gelu(like, x + first * size, out + first * size, min(PIECE, elements - first))
        piece = next_piece(progress)


@compiled
def gelu_backward(worker, words, helpers, *arguments):
    """dx = dout (Φ(x) + x φ(x)), both computed again: that is cheaper than to keep them."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, dout, dx, elements = arguments
    size = like.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        end = min(piece * PIECE + PIECE, elements)
        for j in range(piece * PIECE, end, lanes(like)):
            value = load_first(like, x + j * size, end - j)
            change = load_first(like, dout + j * size, end - j) * slope(value, cdf(value))
            store_first(dx + j * size, change, end - j)
        piece = next_piece(progress)


@inner
def gelu(like, x, out, elements):
    """out = x Φ(x)"""
    for j in range(0, elements, lanes(like)):
        value = load_first(like, x + j * like.itemsize, elements - j)
        store_first(out + j * like.itemsize, value * cdf(value), elements - j)


@inner
def cdf(x):
    """Φ(x) = ½ (1 + erf(x / √2))"""
    return fma(erf(x * ROOT_HALF), 0.5, 0.5)


@inner
def slope(x, phi):
    """GELU′(x) = Φ(x) + x φ(x), with φ = exp(−x²/2) / √(2π) and Φ(x) given."""
    return fma(x, exp(x * x * -0.5) * DENSITY, phi)


@compiled
def residual(worker, words, helpers, *arguments):
    """out = x + multiplier · branch in rows of `width`, without x where its address is 0.

    multiplier: none at address 0, one for each element where `own`, else one for each row.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, branch, multiplier, out, width, own = arguments
    size = like.itemsize
    across = (width + PIECE - 1) // PIECE
    piece = next_piece(progress)
    while piece < pieces:
        row, first = piece // across, piece % across * PIECE
        start, end = row * width, min(first + PIECE, width)
        for j in range(first, end, lanes(like)):
            at, left = (start + j) * size, end - j
            value = load_first(like, branch + at, left)
            if multiplier and own:
                value = value * load_first(like, multiplier + at, left)
            elif multiplier:
                value = value * total(load_first(like, multiplier + row * size, 1))
            if x:
                value = value + load_first(like, x + at, left)
            store_first(out + at, value, left)
        piece = next_piece(progress)


@compiled
def adamw(worker, words, helpers, *arguments):
    """One step of AdamW; rates: 1 − β₁, β₂, 1/√(1 − β₂ᵗ), ε, 1 − lr λ, lr / (1 − β₁ᵗ)."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, data, grad, m, v, elements, rates = arguments
    size = like.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        end = min(piece * PIECE + PIECE, elements)
        for j in range(piece * PIECE, end, lanes(like)):
            at, left = j * size, end - j
            g, first = load_first(like, grad + at, left), load_first(like, m + at, left)
            first = fma(g - first, rates[0], first)
            second = fma(g * g, 1 - rates[1], load_first(like, v + at, left) * rates[1])
            change = first / (root(second) * rates[2] + rates[3])
            store_first(m + at, first, left)
            store_first(v + at, second, left)
            kept = load_first(like, data + at, left) * rates[4]
            store_first(data + at, kept - change * rates[5], left)
        piece = next_piece(progress)


@compiled
def squares(worker, words, helpers, *arguments):
    """sums[piece] = Σ x² over the piece, ROW elements at a time in the array's own precision."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, elements, sums = arguments
    size = like.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        end = min(piece * PIECE + PIECE, elements)
        for first in range(piece * PIECE, end, ROW):
            added, last = splat(like, 0.0), min(first + ROW, end)
            for j in range(first, last, lanes(like)):
                value = load_first(like, x + j * size, last - j)
                added = fma(value, value, added)
            sums[piece] += total(added)
        piece = next_piece(progress)
