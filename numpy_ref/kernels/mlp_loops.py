"""The perceptron: the loops. Both layers take the same few rows: what lies between stays in cache."""

from .gelu import cdf, gelu, slope
from .linear_loops import CHUNK, TILE, beginning
from .machine.jit import compiled, inner
from .machine.pack import pack_panel, pack_rows
from .machine.product import PANEL_VECTORS, product
from .machine.simd import address, lanes, load_first, store, store_first
from .machine.threads import await_pieces, share, taken
from .sums import add_groups, add_rows, add_up


@inner
def activate_backward(to, first, hidden, dactive, rows, columns):
    """to[first:] = GELU(hidden), packed as pack_rows would, and dactive ∘= GELU′(hidden), in place."""
    count, size = lanes(to), to.itemsize
    panel = PANEL_VECTORS * count
    at = first
    for j in range(0, columns, panel):
        end = min(j + panel, columns)
        for i in range(rows):
            for n in range(j, end, count):
                place, left = (i * columns + n) * size, end - n
                value = load_first(to, hidden + place, left)
                phi = cdf(value)
                store(address(to, at), value * phi)
                change = load_first(to, dactive + place, left) * slope(value, phi)
                store_first(dactive + place, change, left)
                at += count


@compiled
def forward(worker, words, helpers, *arguments):
    """hidden = x W1ᵀ + b1, out = residual + GELU(hidden) W2ᵀ + b2, TILE rows a piece; active: scratch.

    panels: those of the first weight, those of both, where the second's begin in `packed`.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed = arguments[:6]
    x, weight1, bias1, weight2, bias2, residual, hidden, out, shape = arguments[6:]
    active = scratches[worker]
    rows, columns, middle, depth = shape
    size = active.itemsize
    packed1, packed2 = address(packed, 0), address(packed, panels[2])
    for piece in taken(progress, pieces):
        if piece < panels[0]:
            pack_panel(packed, 0, piece, weight1, columns * size, columns, middle, True)
        elif piece < panels[1]:
            panel = piece - panels[0]
            pack_panel(packed, panels[2], panel, weight2, middle * size, middle, depth, True)
        else:
            await_pieces(progress, panels[1])
            i = (piece - panels[1]) * TILE
            height = min(TILE, rows - i)
            hidden_i = hidden + i * middle * size
            product(
                code, height, middle, columns, x + i * columns * size, columns, 1,
                packed1, 0, hidden_i, middle, bias1, 0,
            )  # fmt: skip
            gelu(active, hidden_i, address(active, 0), height * middle)
            out_i = out + i * depth * size
            start, row = beginning(active, out_i, residual, i, bias2, height, depth)
            product(
                code, height, depth, middle, address(active, 0), middle, 1,
                packed2, 0, out_i, depth, start, row,
            )  # fmt: skip


@compiled
def backward(worker, words, helpers, *arguments):
    """A group of rows a piece, CHUNK of them at a time: dx, and the group's dW1, db1, dW2 and db2.

    dweights, dweight: addresses; the two weights' lie one after the other, in each group and in what
    they add up to. dbiases[group], dbias: db1 and db2, a group's in float64. scratch: dactive, rows.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, panels, code, packed, groups = arguments[:7]
    dout, x, hidden, weight1, weight2, dx, dweights, dweight, dbiases, dbias, shape = arguments[7:]
    scratch = scratches[worker]
    rows, columns, middle, depth = shape
    size, elements = scratch.itemsize, (columns + depth) * middle
    packed1, packed2 = address(packed, 0), address(packed, panels[2])
    dactive, turned = address(scratch, 0), CHUNK * middle
    right = address(scratch, turned)
    for piece in taken(progress, pieces):
        if piece < panels[0]:
            pack_panel(packed, 0, piece, weight1, columns * size, middle, columns, False)
        elif piece < panels[1]:
            panel = piece - panels[0]
            pack_panel(packed, panels[2], panel, weight2, middle * size, depth, middle, False)
        elif piece < panels[1] + groups:
            await_pieces(progress, panels[1])
            group = piece - panels[1]
            begin, end = rows * group // groups, rows * (group + 1) // groups
            dweight1 = dweights + group * elements * size
            dweight2 = dweight1 + middle * columns * size
            chunks = (end - begin + CHUNK - 1) // CHUNK
            for t in range(chunks):
                i = begin + (end - begin) * t // chunks
                height = begin + (end - begin) * (t + 1) // chunks - i
                x_i, dout_i = x + i * columns * size, dout + i * depth * size
                product(
                    code, height, middle, depth, dout_i, depth, 1, packed2, 0, dactive, middle, 0, 0,
                )  # fmt: skip
                activate_backward(scratch, turned, hidden + i * middle * size, dactive, height, middle)
                product(
                    code, depth, middle, height, dout_i, 1, depth,
                    right, 0, dweight2, middle, dweight2 if t else 0, middle,
                )  # fmt: skip
                pack_rows(scratch, turned, x_i, columns * size, height, columns)
                product(
                    code, middle, columns, height, dactive, 1, middle,
                    right, 0, dweight1, columns, dweight1 if t else 0, columns,
                )  # fmt: skip
                product(
                    code, height, columns, middle, dactive, middle, 1,
                    packed1, 0, dx + i * columns * size, columns, 0, 0,
                )  # fmt: skip
                add_rows(scratch, dactive, height, middle, dbiases[group, :middle])
                add_rows(scratch, dout_i, height, depth, dbiases[group, middle:])
        else:
            await_pieces(progress, panels[1] + groups)
            add_groups(packed, dweights, groups, elements, piece - panels[1] - groups, dweight)
            if piece == pieces - 1:
                add_up(dbiases, dbias)
