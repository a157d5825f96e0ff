"""The loops of a linear layer.

A job's first pieces pack the weight, a panel each; the others wait for them. The gradients of weight and
bias are sums over groups of rows, which the last pieces add up in order.
"""

from .machine.jit import compiled, inner
from .machine.pack import pack_panel, pack_rows
from .machine.product import product
from .machine.simd import address, lanes, load_first, store_first
from .machine.threads import await_pieces, share, taken
from .sums import add_groups, add_rows, add_up

TILE, CHUNK = 84, 168  # rows of a piece forward, and at once backward: whole tiles of 6 and of 7 rows


@compiled
def forward(worker, words, helpers, *arguments):
    """out (rows, columns) = residual + x (rows, depth) Wᵀ + b, at most TILE rows a piece.

    Arrays are addresses, 0 if there is no bias or residual. packed: memory for the packed weight.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, panels, code, x, weight, packed, bias, residual, out, shape = arguments
    rows, columns, depth = shape
    size = packed.itemsize
    for piece in taken(progress, pieces):
        if piece < panels:
            # 1  packed (depth, columns) = Wᵀ, a panel a piece
            pack_panel(packed, 0, piece, weight, depth * size, depth, columns, True)
        else:
            # 2  out (height, columns) = residual + b + x Wᵀ
            await_pieces(progress, panels)
            i, height = tile_of(piece - panels, pieces - panels, rows)
            out_i = out + i * columns * size
            start, start_row = product_start(packed, out_i, residual, i, bias, height, columns)
            product(
                code, height, columns, depth, x + i * depth * size, depth, 1,
                address(packed, 0), 0, out_i, columns, start, start_row,
            )  # fmt: skip


@inner
def tile_of(n, tiles, rows):
    """(first row, number of rows) of the n-th of so many tiles of nearly equal height."""
    first = rows * n // tiles
    return first, rows * (n + 1) // tiles - first


@inner
def product_start(like, out, residual, first, bias, rows, width):
    """(address, elements between rows) of what a product adds to: bias, or out = residual + bias."""
    if not residual:
        return bias, 0
    size = like.itemsize
    for i in range(rows):
        for j in range(0, width, lanes(like)):
            offset, left = (i * width + j) * size, width - j
            value = load_first(like, residual + first * width * size + offset, left)
            if bias:
                value = value + load_first(like, bias + j * size, left)
            store_first(out + offset, value, left)
    return out, width


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK of them at a time: dx and, while these are in cache, dW and db.

    x, dx: (rows, columns); dout: (rows, depth): the two swap against forward, as dx = dout W.
    dweights: (groups, depth, columns), summed in dweight. dbiases: (groups, depth), float64, summed in
    dbias. Passes are numbered as in forward.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, groups, inputs, grads, shape = arguments
    dout, x, weight, packed = inputs
    dx, dweights, dweight, dbiases, dbias = grads
    scratch = scratches[worker]
    rows, columns, depth = shape
    size, elements = packed.itemsize, columns * depth
    for piece in taken(progress, pieces):
        if piece < panels:
            # 1  packed (depth, columns) = W
            pack_panel(packed, 0, piece, weight, columns * size, depth, columns, False)
        elif piece < panels + groups:
            await_pieces(progress, panels)
            group = piece - panels
            begin, end = rows * group // groups, rows * (group + 1) // groups
            dweight_g = dweights + group * elements * size
            chunks = (end - begin + CHUNK - 1) // CHUNK
            for t in range(chunks):
                i = begin + (end - begin) * t // chunks
                height = begin + (end - begin) * (t + 1) // chunks - i
                x_i, dout_i = x + i * columns * size, dout + i * depth * size
                # 2  dx (height, columns) = dout W
                product(
                    code, height, columns, depth, dout_i, depth, 1, address(packed, 0), 0,
                    dx + i * columns * size, columns, 0, 0,
                )  # fmt: skip
                # 2  dW (depth, columns) += doutᵀ x,  db (depth) += Σ dout
                pack_rows(scratch, 0, x_i, columns * size, height, columns)
                product(
                    code, depth, columns, height, dout_i, 1, depth, address(scratch, 0), 0,
                    dweight_g, columns, dweight_g if t else 0, columns,
                )  # fmt: skip
                if dbiases.size:
                    add_rows(scratch, dout_i, height, depth, dbiases[group])
        else:
            # 3  dW and db = Σ over the groups
            await_pieces(progress, panels + groups)
            add_groups(packed, dweights, groups, elements, piece - panels - groups, dweight)
            if piece == pieces - 1:
                add_up(dbiases, dbias)
