"""The loops of the perceptron. Both layers take the same few rows: what lies between stays in cache."""

from typing import NamedTuple

from .gelu import cdf, gelu, slope
from .linear_loops import CHUNK, product_start, tile_of
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
    """hidden = x W1ᵀ + b1, out = residual + GELU(hidden) W2ᵀ + b2, at most TILE rows a piece.

    x: (rows, columns); hidden: (rows, middle); out, residual: (rows, depth), all as addresses. scratch:
    GELU(hidden) of a piece.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed, inputs, hidden, out, shape = arguments
    x, weight1, bias1, weight2, bias2, residual = inputs
    panels, active = Panels(*panels), scratches[worker]
    rows, columns, middle, depth = shape
    size = active.itemsize
    packed1, packed2 = address(packed, 0), address(packed, panels.start2)
    for piece in taken(progress, pieces):
        # 1  packed1 (columns, middle) = W1ᵀ,  packed2 (middle, depth) = W2ᵀ, a panel a piece
        if piece < panels.first:
            pack_panel(packed, 0, piece, weight1, columns * size, columns, middle, True)
        elif piece < panels.both:
            panel = piece - panels.first
            pack_panel(packed, panels.start2, panel, weight2, middle * size, middle, depth, True)
        else:
            await_pieces(progress, panels.both)
            i, height = tile_of(piece - panels.both, pieces - panels.both, rows)
            hidden_i = hidden + i * middle * size
            # 2  hidden (height, middle) = x W1ᵀ + b1
            product(
                code, height, middle, columns, x + i * columns * size, columns, 1,
                packed1, 0, hidden_i, middle, bias1, 0,
            )  # fmt: skip
            # 3  active = GELU(hidden)
            gelu(active, hidden_i, address(active, 0), height * middle)
            # 4  out (height, depth) = residual + active W2ᵀ + b2
            out_i = out + i * depth * size
            start, start_row = product_start(active, out_i, residual, i, bias2, height, depth)
            product(
                code, height, depth, middle, address(active, 0), middle, 1,
                packed2, 0, out_i, depth, start, start_row,
            )  # fmt: skip


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK of them at a time: dx, and the group's dW1, db1, dW2 and db2.

    Passes are numbered as in forward. dweights, dweight: addresses; dW1 and dW2 lie one after the other,
    in each group and in the sums. dbiases: (groups, middle + depth) in float64, db1 and db2, which dbias
    adds up. scratch: dactive, then the packed right-hand side of a product.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed, groups, inputs, grads, shape = arguments
    dout, x, hidden, weight1, weight2 = inputs
    dx, dweights, dweight, dbiases, dbias = grads
    panels, scratch = Panels(*panels), scratches[worker]
    rows, columns, middle, depth = shape
    size, elements = scratch.itemsize, (columns + depth) * middle
    packed1, packed2 = address(packed, 0), address(packed, panels.start2)
    dactive, right_first = address(scratch, 0), CHUNK * middle
    right = address(scratch, right_first)
    for piece in taken(progress, pieces):
        # 1  packed1 (middle, columns) = W1,  packed2 (depth, middle) = W2
        if piece < panels.first:
            pack_panel(packed, 0, piece, weight1, columns * size, middle, columns, False)
        elif piece < panels.both:
            panel = piece - panels.first
            pack_panel(packed, panels.start2, panel, weight2, middle * size, depth, middle, False)
        elif piece < panels.both + groups:
            await_pieces(progress, panels.both)
            group = piece - panels.both
            begin, end = rows * group // groups, rows * (group + 1) // groups
            dweight1 = dweights + group * elements * size
            dweight2 = dweight1 + middle * columns * size
            chunks = (end - begin + CHUNK - 1) // CHUNK
            for t in range(chunks):
                i = begin + (end - begin) * t // chunks
                height = begin + (end - begin) * (t + 1) // chunks - i
                x_i, dout_i = x + i * columns * size, dout + i * depth * size
                # 4  dactive (height, middle) = dout W2
                product(
                    code, height, middle, depth, dout_i, depth, 1, packed2, 0, dactive, middle, 0, 0,
                )  # fmt: skip
                # 3  active again, packed; dactive ∘= GELU′(hidden), now ∂loss/∂hidden
                hidden_i = hidden + i * middle * size
                activate_backward(scratch, right_first, hidden_i, dactive, height, middle)
                # 4  dW2 (depth, middle) += doutᵀ active
                product(
                    code, depth, middle, height, dout_i, 1, depth,
                    right, 0, dweight2, middle, dweight2 if t else 0, middle,
                )  # fmt: skip
                # 2  dW1 (middle, columns) += dactiveᵀ x,  dx (height, columns) = dactive W1
                pack_rows(scratch, right_first, x_i, columns * size, height, columns)
                product(
                    code, middle, columns, height, dactive, 1, middle,
                    right, 0, dweight1, columns, dweight1 if t else 0, columns,
                )  # fmt: skip
                product(
                    code, height, columns, middle, dactive, middle, 1,
                    packed1, 0, dx + i * columns * size, columns, 0, 0,
                )  # fmt: skip
                # 2, 4  db1 (middle) += Σ dactive,  db2 (depth) += Σ dout
                add_rows(scratch, dactive, height, middle, dbiases[group, :middle])
                add_rows(scratch, dout_i, height, depth, dbiases[group, middle:])
        else:
            # 5  dW1, dW2, db1 and db2 = Σ over the groups
            await_pieces(progress, panels.both + groups)
            add_groups(packed, dweights, groups, elements, piece - panels.both - groups, dweight)
            if piece == pieces - 1:
                add_up(dbiases, dbias)
