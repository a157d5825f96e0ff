"""The perceptron: the loops. Both layers take the same few rows: what lies between stays in cache."""

from numba import njit

from ._jit import compiled
from ._linear import CHUNK, TILE, add_bias, add_rows
from ._pack import pack_rows
from ._product import product
from ._rows import DENSITY, cdf
from ._simd import address, exp, fma, lanes, load_first, store_first
from ._threads import next_piece, share


@njit
def activate(like, hidden, active, elements):
    """active = GELU(hidden)"""
    for j in range(0, elements, lanes(like)):
        value = load_first(like, hidden + j * like.itemsize, elements - j)
        store_first(active + j * like.itemsize, value * cdf(value), elements - j)


@njit
def activate_backward(like, hidden, active, dactive, elements):
    """active = GELU(hidden) and dactive ∘= GELU′(hidden), in place."""
    for j in range(0, elements, lanes(like)):
        left, at = elements - j, j * like.itemsize
        value = load_first(like, hidden + at, left)
        phi = cdf(value)
        store_first(active + at, value * phi, left)
        slope = fma(value, exp(value * value * -0.5) * DENSITY, phi)
        store_first(dactive + at, load_first(like, dactive + at, left) * slope, left)


@compiled
def forward(worker, words, helpers, *arguments):
    """hidden = x W1ᵀ + b1 and out = GELU(hidden) W2ᵀ + b2, TILE rows a piece; active is scratch."""
    if share(worker, words, helpers, arguments):
        return
    (
        progress, pieces, scratches, compiled, x, packed1, bias1, packed2, bias2, hidden, out, shape,
    ) = arguments  # fmt: skip
    active = scratches[worker]
    rows, columns, middle, depth = shape
    size = active.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        i = piece * TILE
        height = min(TILE, rows - i)
        hidden_i, out_i = hidden + i * middle * size, out + i * depth * size
        product(
            compiled, height, middle, columns, x + i * columns * size, columns, 1,
            packed1, 0, hidden_i, middle, 0,
        )  # fmt: skip
        add_bias(active, hidden_i, height, middle, bias1)
        activate(active, hidden_i, address(active, 0), height * middle)
        product(
            compiled, height, depth, middle, address(active, 0), middle, 1, packed2, 0, out_i, depth, 0,
        )  # fmt: skip
        add_bias(active, out_i, height, depth, bias2)
        piece = next_piece(progress)


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK of them at a time: dx, and the group's dW1, db1, dW2 and db2.

    dweights: an address; a group's two lie one after the other. dbiases[piece]: db1, db2 in float64.
    scratch: active, dactive, packed rows.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, compiled, dout, x, hidden = arguments[:7]
    packed1, packed2, dx, dweights, dbiases, shape = arguments[7:]
    scratch = scratches[worker]
    rows, columns, middle, depth = shape
    size = scratch.itemsize
    active = address(scratch, 0)
    dactive = active + CHUNK * middle * size
    packed = 2 * CHUNK * middle
    piece = next_piece(progress)
    while piece < pieces:
        begin, end = rows * piece // pieces, rows * (piece + 1) // pieces
        dweight1 = dweights + piece * (columns + depth) * middle * size
        dweight2 = dweight1 + middle * columns * size
        chunks = (end - begin + CHUNK - 1) // CHUNK
        for t in range(chunks):
            i = begin + (end - begin) * t // chunks
            height = begin + (end - begin) * (t + 1) // chunks - i
            x_i, dout_i = x + i * columns * size, dout + i * depth * size
            product(
                compiled, height, middle, depth, dout_i, depth, 1, packed2, 0, dactive, middle, 0,
            )  # fmt: skip
            activate_backward(scratch, hidden + i * middle * size, active, dactive, height * middle)
            pack_rows(scratch, packed, active, middle * size, height, middle)
            product(
                compiled, depth, middle, height, dout_i, 1, depth, address(scratch, packed), 0,
                dweight2, middle, t > 0,
            )  # fmt: skip
            pack_rows(scratch, packed, x_i, columns * size, height, columns)
            product(
                compiled, middle, columns, height, dactive, 1, middle, address(scratch, packed), 0,
                dweight1, columns, t > 0,
            )  # fmt: skip
            product(
                compiled, height, columns, middle, dactive, middle, 1, packed1, 0,
                dx + i * columns * size, columns, 0,
            )  # fmt: skip
            add_rows(scratch, dactive, height, middle, dbiases[piece, :middle])
            add_rows(scratch, dout_i, height, depth, dbiases[piece, middle:])
        piece = next_piece(progress)
