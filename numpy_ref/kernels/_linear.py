"""Linear layers: the loops. The weight's gradient is a sum over groups of rows."""

from numba import njit

from ._jit import compiled
from ._pack import pack_columns, pack_rows
from ._product import product
from ._simd import address, lane, lanes, load_first, splat, store_first
from ._threads import next_piece, share

TILE, CHUNK = 84, 168  # rows of a piece forward, and at once backward: whole tiles of 7 and of 12 rows
SHORT = 16  # rows whose sum in their own precision rounds no more than once or twice
GROUP_PIECE = 1 << 13  # elements of a piece when the groups are added up


@compiled
def pack_weight(packed, start, row, rows, columns, turned):
    """The weight (out, in) as a product's right-hand side: turned for forward, as it is for backward."""
    if turned:
        pack_columns(packed, 0, start, row, rows, columns)
    else:
        pack_rows(packed, 0, start, row, rows, columns)


@njit
def add_bias(like, rows, height, width, bias):
    """rows += bias, in place."""
    size = like.itemsize
    for i in range(height):
        for j in range(0, width, lanes(like)):
            place, left = rows + (i * width + j) * size, width - j
            store_first(
                place, load_first(like, place, left) + load_first(like, bias + j * size, left), left
            )


@compiled
def forward(worker, words, helpers, *arguments):
    """out = x Wᵀ + b, TILE rows a piece; the bias is added while they are in cache."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, compiled, x, packed, bias, out, shape = arguments
    rows, columns, depth = shape
    size = packed.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        first = piece * TILE
        height = min(TILE, rows - first)
        product(
            compiled, height, columns, depth, x + first * depth * size, depth, 1, address(packed, 0), 0,
            out + first * columns * size, columns, 0,
        )  # fmt: skip
        if bias:
            add_bias(packed, out + first * columns * size, height, columns, bias)
        piece = next_piece(progress)


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece: CHUNK of them at a time go into dx and, while in cache, into dW and db.

    dx = dout W; dweights[piece] = doutᵀ x and dbiases[piece] = Σ dout over the group's rows, in order.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, compiled, dout, x, packed, dx, dweights, dbiases, shape = arguments
    scratch = scratches[worker]
    rows, columns, depth = shape  # x: (rows, columns); dout: (rows, depth)
    size = packed.itemsize
    piece = next_piece(progress)
    while piece < pieces:
        begin, end = rows * piece // pieces, rows * (piece + 1) // pieces
        tiles = (end - begin + CHUNK - 1) // CHUNK
        for t in range(tiles):
            i = begin + (end - begin) * t // tiles
            height = begin + (end - begin) * (t + 1) // tiles - i
            x_i, dout_i = x + i * columns * size, dout + i * depth * size
            product(
                compiled, height, columns, depth, dout_i, depth, 1, address(packed, 0), 0,
                dx + i * columns * size, columns, 0,
            )  # fmt: skip
            pack_rows(scratch, 0, x_i, columns * size, height, columns)
            product(
                compiled, depth, columns, height, dout_i, 1, depth, address(scratch, 0), 0,
                dweights + piece * depth * columns * size, columns, t > 0,
            )  # fmt: skip
            if dbiases.size:
                add_rows(scratch, dout_i, height, depth, dbiases[piece])
        piece = next_piece(progress)


@njit
def add_rows(like, rows, height, width, sums):
    """sums (float64) += Σ of the rows; SHORT of them at a time are summed in their own precision."""
    size, count = like.itemsize, lanes(like)
    for start in range(0, height, SHORT):
        end = min(start + SHORT, height)
        for j in range(0, width, count):
            left = min(width - j, count)
            added = splat(like, 0.0)
            for i in range(start, end):
                added = added + load_first(like, rows + (i * width + j) * size, left)
            for n in range(left):
                sums[j + n] += lane(added, n)


@compiled
def add_groups(worker, words, helpers, *arguments):
    """total = Σ over the groups of sums[group], in order."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, groups, sums, total, elements = arguments
    size, count = like.itemsize, lanes(like)
    piece = next_piece(progress)
    while piece < pieces:
        end = min(piece * GROUP_PIECE + GROUP_PIECE, elements)
        for j in range(piece * GROUP_PIECE, end, count):
            added = load_first(like, sums + j * size, end - j)
            for g in range(1, groups):
                added = added + load_first(like, sums + (g * elements + j) * size, end - j)
            store_first(total + j * size, added, end - j)
        piece = next_piece(progress)
