"""Move the tokens of maps: what cutting into windows, putting together and merging patches come down to.

Where a token goes is found by the definition: it moves the tokens' numbers, once for each size of a map.
"""

import numpy as np

from .machine import threads
from .machine.arrays import addresses, in_order
from .machine.buffers import empty
from .machine.jit import compiled
from .machine.simd import lanes, load_first, splat, store_first
from .machine.threads import PIECE, share, taken


def numbered(*shape):
    """Return an array whose entries are 1, 2, 3, …: the definition's zeros for padding stay apart."""
    return np.arange(1, 1 + np.prod(shape)).reshape(shape)


def places_of(numbers):
    """Return where each token comes from, flat; −1 for a token of padding."""
    return numbers.reshape(-1) - 1


def moved(x, images, places, shape, residual=None):
    """Return out[b, n] = x[b, places[n]] [+ residual[b, n]], zero where the place is −1.

    x: `images` times so many tokens, contiguous or not, in any shape.
    places: (N,) int64, below the number of tokens of an image; not checked.
    shape: of the result and of the residual, N tokens for each image.
    """
    out = empty(shape, x.dtype)
    if not out.size:
        return out
    x, residual = in_order(x, residual)
    rows = images * places.size
    width = out.size // rows
    cut = x.size // (images * width), width, rows, max(1, PIECE // width)
    like = np.empty(0, x.dtype)
    threads.run(_move, -(-rows // cut[3]), like, places, *addresses(x, residual, out), cut)
    return out


@compiled
def _move(worker, words, helpers, *arguments):
    """`height` rows a piece, a row per token; x, residual, out: addresses, no residual at address 0."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, places, x, residual, out, cut = arguments
    tokens, width, rows, height = cut
    size, count = like.itemsize, lanes(like)
    for piece in taken(progress, pieces):
        for row in range(piece * height, min(piece * height + height, rows)):
            place = places[row % places.size]
            source = x + (row // places.size * tokens + place) * width * size
            for j in range(0, width, count):
                offset, left = (row * width + j) * size, width - j
                value = splat(like, 0.0)
                if place >= 0:
                    value = load_first(like, source + j * size, left)
                if residual:
                    value = value + load_first(like, residual + offset, left)
                store_first(out + offset, value, left)
