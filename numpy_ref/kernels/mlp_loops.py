"""The loops of the perceptron. Both layers take the same few rows: what lies between stays in cache."""

from typing import NamedTuple

from .gelu import cdf, gelu, slope
from .linear_loops import CHUNK_ROWS, chunks_of, piece_rows, product_start
from .machine.jit import compiled, inner
from .machine.pack import pack_panel, pack_rows
from .machine.product import product
from .machine.simd import address, lanes, load_first, store, store_first
from .machine.threads import await_pieces, share, taken
from .machine.tile import PANEL_VECTORS
from .sums import add_groups, add_rows, add_up


class Panels(NamedTuple):
    """The job's first pieces pack the weights, a panel each."""

    first: int  # panels of the first weight
    both: int
    start2: int  # where the second packed weight begins, in elements


@inner
def pack_weights(packed, panels, piece, weight1, weight2, widths, transposed):
    """A panel of packed1 = W1 (hidden_width, x_width) or packed2 = W2 (out_width, hidden_width), or of
    W1ᵀ or W2ᵀ."""
    x_width, hidden_width, out_width = widths
    if piece < panels.first:
        at, panel, weight, rows, columns = 0, piece, weight1, hidden_width, x_width
    else:
        at, panel, weight = panels.start2, piece - panels.first, weight2
        rows, columns = out_width, hidden_width
    row_bytes = columns * packed.itemsize
    if transposed:
        rows, columns = columns, rows
    pack_panel(packed, at, panel, weight, row_bytes, rows, columns, transposed)


@inner
def activate_backward(packed, first, hidden, dactive, rows, columns):
    """packed[first:] = GELU(hidden) in the layout of pack_rows; dactive ∘= GELU′(hidden) in place.

    hidden, dactive: (rows, columns), as addresses.
    """
    count, size = lanes(packed), packed.itemsize
    panel = PANEL_VECTORS * count
    place = first
    for j in range(0, columns, panel):
        end = min(j + panel, columns)
        for i in range(rows):
            for n in range(j, end, count):
                offset, left = (i * columns + n) * size, end - n
                value = load_first(packed, hidden + offset, left)
                phi = cdf(value)
                store(address(packed, place), value * phi)
                change = load_first(packed, dactive + offset, left) * slope(value, phi)
                store_first(dactive + offset, change, left)
                place += count


@compiled
def forward(worker, words, helpers, *arguments):
    """hidden = x W1ᵀ + b1, out = residual + GELU(hidden) W2ᵀ + b2, at most PIECE_ROWS rows a piece.

    x: (rows, x_width); hidden: (rows, hidden_width); out, residual: (rows, out_width), all as addresses.
    scratch: GELU(hidden) of a piece.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed, inputs, hidden, out, rows, widths = arguments
    x, weight1, bias1, weight2, bias2, residual = inputs
    panels, active = Panels(*panels), scratches[worker]
    x_width, hidden_width, out_width = widths
    size = active.itemsize
    packed1, packed2 = address(packed, 0), address(packed, panels.start2)
    for piece in taken(progress, pieces):
        if piece < panels.both:
            # 1  packed1 (x_width, hidden_width) = W1ᵀ,  packed2 (hidden_width, out_width) = W2ᵀ
            pack_weights(packed, panels, piece, weight1, weight2, widths, True)
        else:
            await_pieces(progress, panels.both)
            i, height = piece_rows(piece - panels.both, pieces - panels.both, rows)
            hidden_i = hidden + i * hidden_width * size
            # 2  hidden (height, hidden_width) = x W1ᵀ + b1
            product(
                code, height, hidden_width, x_width, x + i * x_width * size, x_width, 1,
                packed1, 0, hidden_i, hidden_width, bias1, 0,
            )  # fmt: skip
            # 3  active = GELU(hidden)
            gelu(active, hidden_i, address(active, 0), height * hidden_width)
            # 4  out (height, out_width) = residual + active W2ᵀ + b2
            out_i = out + i * out_width * size
            start, start_row = product_start(active, out_i, residual, i, bias2, height, out_width)
            product(
                code, height, out_width, hidden_width, address(active, 0), hidden_width, 1,
                packed2, 0, out_i, out_width, start, start_row,
            )  # fmt: skip


@inner
def backward_chunk(code, scratch, packed1, packed2, rows, height, widths, dweights, dbiases, add):
    """Passes 4 to 2 for a chunk of rows: dx; dW1 and dW2 or, with `add`, what is added to them.

    rows: addresses of the chunk's dout, x, hidden and dx. dweights: those of the group's dW1 and dW2.
    dbiases: the group's db1 and db2, which are added up. Else as in backward.
    """
    dout, x, hidden, dx = rows
    x_width, hidden_width, out_width = widths
    dweight1, dweight2 = dweights
    dactive, right_first = address(scratch, 0), CHUNK_ROWS * hidden_width
    right = address(scratch, right_first)
    # 4  dactive (height, hidden_width) = dout W2
    product(
        code, height, hidden_width, out_width, dout, out_width, 1,
        packed2, 0, dactive, hidden_width, 0, 0,
    )  # fmt: skip
    # 3  active again, packed; dactive ∘= GELU′(hidden), now ∂loss/∂hidden
    activate_backward(scratch, right_first, hidden, dactive, height, hidden_width)
    # 4  dW2 (out_width, hidden_width) += doutᵀ active
    product(
        code, out_width, hidden_width, height, dout, 1, out_width,
        right, 0, dweight2, hidden_width, dweight2 if add else 0, hidden_width,
    )  # fmt: skip
    # 2  dW1 (hidden_width, x_width) += dactiveᵀ x,  dx (height, x_width) = dactive W1
    pack_rows(scratch, right_first, x, x_width * scratch.itemsize, height, x_width)
    product(
        code, hidden_width, x_width, height, dactive, 1, hidden_width,
        right, 0, dweight1, x_width, dweight1 if add else 0, x_width,
    )  # fmt: skip
    product(
        code, height, x_width, hidden_width, dactive, hidden_width, 1,
        packed1, 0, dx, x_width, 0, 0,
    )  # fmt: skip
    # 2, 4  db1 (hidden_width) += Σ dactive,  db2 (out_width) += Σ dout
    add_rows(scratch, dactive, height, hidden_width, dbiases[:hidden_width])
    add_rows(scratch, dout, height, out_width, dbiases[hidden_width:])


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK_ROWS at a time: dx, and the group's dW1, db1, dW2 and db2.

    Passes are numbered as in forward. dweights, dweight: addresses; dW1 and dW2 lie one after the other,
    in each group and in the sums. dbiases: (groups, hidden_width + out_width) in float64, db1 and db2,
    which dbias adds up. scratch: dactive, then the packed right-hand side of a product.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed, groups, inputs, grads, rows, widths = arguments
    dout, x, hidden, weight1, weight2 = inputs
    dx, dweights, dweight, dbiases, dbias = grads
    panels, scratch = Panels(*panels), scratches[worker]
    x_width, hidden_width, out_width = widths
    size, elements = scratch.itemsize, (x_width + out_width) * hidden_width
    packed1, packed2 = address(packed, 0), address(packed, panels.start2)
    for piece in taken(progress, pieces):
        if piece < panels.both:
            # 1  packed1 (hidden_width, x_width) = W1,  packed2 (out_width, hidden_width) = W2
            pack_weights(packed, panels, piece, weight1, weight2, widths, False)
        elif piece < panels.both + groups:
            await_pieces(progress, panels.both)
            group = piece - panels.both
            dweight1 = dweights + group * elements * size
            grads_g = dweight1, dweight1 + hidden_width * x_width * size
            for chunk, i, height in chunks_of(rows, groups, group):
                x_i, hidden_i = i * x_width * size, i * hidden_width * size
                rows_i = dout + i * out_width * size, x + x_i, hidden + hidden_i, dx + x_i
                backward_chunk(
                    code, scratch, packed1, packed2, rows_i, height, widths,
                    grads_g, dbiases[group], chunk > 0,
                )  # fmt: skip
        else:
            # 5  dW1, dW2, db1 and db2 = Σ over the groups
            await_pieces(progress, panels.both + groups)
            add_groups(packed, dweights, groups, elements, piece - panels.both - groups, dweight)
            if piece == pieces - 1:
                add_up(dbiases, dbias)
