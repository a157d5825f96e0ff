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

PIECE_ROWS = 84  # rows of a piece in forward, at most: whole tiles of 6 and of 7 rows
CHUNK_ROWS = 168  # rows at once in backward, also whole tiles


@compiled
def forward(worker, words, helpers, *arguments):
    """out = residual + x Wᵀ + b, at most PIECE_ROWS rows a piece.

    x: (rows, x_width); W: (out_width, x_width); residual, out: (rows, out_width). Arrays are addresses,
    0 if there is no bias or residual. packed: memory for the packed weight.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, panels, code, x, weight, packed, bias, residual, out, shape = arguments
    rows, x_width, out_width = shape
    size = packed.itemsize
    for piece in taken(progress, pieces):
        if piece < panels:
            # 1  packed (x_width, out_width) = Wᵀ, a panel a piece
            pack_panel(packed, 0, piece, weight, x_width * size, x_width, out_width, True)
        else:
            # 2  out (height, out_width) = residual + b + x Wᵀ
            await_pieces(progress, panels)
            i, height = piece_rows(piece - panels, pieces - panels, rows)
            x_i, out_i = x + i * x_width * size, out + i * out_width * size
            start, start_row = product_start(packed, out_i, residual, i, bias, height, out_width)
            product(
                code, height, out_width, x_width, x_i, x_width, 1,
                address(packed, 0), 0, out_i, out_width, start, start_row,
            )  # fmt: skip


@inner
def piece_rows(piece, pieces, rows):
    """(first row, number of rows) of one of so many pieces of nearly equal height."""
    first = rows * piece // pieces
    return first, rows * (piece + 1) // pieces - first


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


@inner
def chunks_of(rows, groups, group):
    """Yield (chunk, first row, rows) for each chunk of a group; chunks of nearly equal height."""
    begin, end = rows * group // groups, rows * (group + 1) // groups
    chunks = (end - begin + CHUNK_ROWS - 1) // CHUNK_ROWS
    for chunk in range(chunks):
        i = begin + (end - begin) * chunk // chunks
        yield chunk, i, begin + (end - begin) * (chunk + 1) // chunks - i


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK_ROWS at a time: dx and, while these are in cache, dW and db.

    x, dx: (rows, x_width); dout: (rows, out_width). dweights: (groups, out_width, x_width), summed in
    dweight. dbiases: (groups, out_width), float64, summed in dbias. Passes are numbered as in forward.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, groups, inputs, grads, shape = arguments
    dout, x, weight, packed = inputs
    dx, dweights, dweight, dbiases, dbias = grads
    scratch = scratches[worker]
    rows, x_width, out_width = shape
    size, elements = packed.itemsize, x_width * out_width
    for piece in taken(progress, pieces):
        if piece < panels:
            # 1  packed (out_width, x_width) = W
            pack_panel(packed, 0, piece, weight, x_width * size, out_width, x_width, False)
        elif piece < panels + groups:
            await_pieces(progress, panels)
            group = piece - panels
            dweight_g = dweights + group * elements * size
            for chunk, i, height in chunks_of(rows, groups, group):
                x_i, dout_i = x + i * x_width * size, dout + i * out_width * size
                # 2  dx (height, x_width) = dout W
                product(
                    code, height, x_width, out_width, dout_i, out_width, 1, address(packed, 0), 0,
                    dx + i * x_width * size, x_width, 0, 0,
                )  # fmt: skip
                # 2  dW (out_width, x_width) += doutᵀ x,  db (out_width) += Σ dout
                pack_rows(scratch, 0, x_i, x_width * size, height, x_width)
                product(
                    code, out_width, x_width, height, dout_i, 1, out_width, address(scratch, 0), 0,
                    dweight_g, x_width, dweight_g if chunk else 0, x_width,
                )  # fmt: skip
                if dbiases.size:
                    add_rows(scratch, dout_i, height, out_width, dbiases[group])
        else:
            # 3  dW and db = Σ over the groups
            await_pieces(progress, panels + groups)
            add_groups(packed, dweights, groups, elements, piece - panels - groups, dweight)
            if piece == pieces - 1:
                add_up(dbiases, dbias)
