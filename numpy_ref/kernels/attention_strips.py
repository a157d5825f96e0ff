"""Strips of the scores, some rows of them at a time: what attention does to one between its products.

Arrays come as (address, byte strides …), so that one compiled version serves every layout.
"""

import numpy as np

from .machine.exp import exp
from .machine.jit import inner
from .machine.runs import gather_row, scatter_row
from .machine.simd import (
    address,
    fma,
    lanes,
    larger,
    largest,
    load,
    load_first,
    prefetch,
    splat,
    store,
    store_first,
    total,
)


@inner
def whole(columns, count):
    """Columns rounded up to whole vectors."""
    return (columns + count - 1) // count * count


@inner
def at(array, b, h, i):
    """Address of the row [b, h, i] of (address, stride of b, of h, of i)."""
    return array[0] + b * array[1] + h * array[2] + i * array[3]


@inner
def term_row(term, b, h, i):
    """Address of the row of an additive term that repeats along its axes of fewer entries."""
    where, batch, heads, rows = term[0], term[1], term[2], term[3]
    return where + (b % batch) * term[4] + (h % heads) * term[5] + min(i, rows - 1) * term[6]


@inner
def gather(strip, length, by_head, head, index, first, rows, columns):
    """strip = table[index, head] or, without a table, 0; −inf in columns beyond: softmax drops them."""
    count = lanes(strip)
    for i in range(rows):
        row, entries = strip[i * length : (i + 1) * length], (first + i) * columns
        if index.size:
            gather_row(row[:columns], by_head[head], index[entries : entries + columns], columns)
        else:
            for j in range(columns):
                row[j] = 0
        for j in range(columns, whole(columns, count)):
            row[j] = -np.inf


@inner
def copy(to, strip, elements):
    """to = strip in whole vectors; to assign slices would compile all its error messages, too."""
    for j in range(0, elements, lanes(to)):
        store(address(to, j), load(strip, address(strip, j)))


@inner
def apply_term(strip, length, term, b, h, first, rows, columns, factor):
    """strip += the term's rows, or ∘= them where it is a factor; its last axis is the strip's."""
    count = lanes(strip)
    for i in range(rows):
        source = term_row(term, b, h, first + i)
        for j in range(0, columns, count):
            place = address(strip, i * length + j)
            old, other = load(strip, place), load_first(strip, source + j * strip.itemsize, columns - j)
            store(place, old * other if factor else old + other)


@inner
def next_rows(array, b, b_last, h, i):
    """Where the next window's rows begin, and their distance: what `fetch` is to bring in meanwhile."""
    return (at(array, b + 1, h, i), array[3]) if b + 1 < b_last else (0, 0)


@inner
def fetch(rows, i, width):
    """Row by row beside other work: all at once would wait for memory, which is to be avoided."""
    if rows[0]:
        for byte in range(0, width, 64):
            prefetch(rows[0] + i * rows[1] + byte)


@inner
def softmax(scores, terms, length, rows, columns, scale, stats, ahead, width):
    """scores = exp(scale · scores + terms − max) in place; stats[i] = max, 1 / sum.

    All maxima first, then all sums: rows do not wait for one another.
    """
    count = lanes(scores)
    for i in range(rows):
        fetch(ahead[0], i, width)
        top = splat(scores, -np.inf)
        for j in range(i * length, i * length + columns, count):
            place = address(scores, j)
            score = fma(load(scores, place), scale, load(terms, address(terms, j)))
            store(place, score)
            top = larger(score, top)
        stats[i, 0] = largest(top)
    for i in range(rows):
        fetch(ahead[1], i, width)
        fetch(ahead[2], i, width)
        added, highest = splat(scores, 0.0), stats[i, 0]
        for j in range(i * length, i * length + columns, count):
            place = address(scores, j)
            power = exp(load(scores, place) - highest)
            added = added + power
            store(place, power)
        stats[i, 1] = 1 / total(added)


@inner
def probabilities(scores, terms, length, rows, columns, scale, stats, ahead, width):
    """scores = P = exp(scale · scores + terms − max) / sum in place, from forward's stats."""
    for i in range(rows):
        fetch(ahead[0], i, width)
        fetch(ahead[1], i, width)
        highest, inverse = stats[i, 0], stats[i, 1]
        for j in range(i * length, i * length + columns, lanes(scores)):
            place = address(scores, j)
            score = fma(load(scores, place), scale, load(terms, address(terms, j)))
            store(place, exp(score - highest) * inverse)


@inner
def softmax_backward(p, dp, sums, length, rows, columns, scale, first, ahead, width):
    """dS = P ∘ (dP − Σ_j P dP); dp = scale · dS in place; sums = dS in the first window, then += dS.

    A row of P adds up to 1 but for rounding; the sum is divided by it, so that a row of dS adds up to 0.
    """
    for i in range(rows):
        fetch(ahead[0], i, width)
        fetch(ahead[1], i, width)
        along, mass = splat(p, 0.0), splat(p, 0.0)
        for j in range(i * length, i * length + columns, lanes(p)):
            chance = load(p, address(p, j))
            along, mass = fma(chance, load(dp, address(dp, j)), along), mass + chance
        delta = total(along) / total(mass)
        for j in range(i * length, i * length + columns, lanes(p)):
            place, added = address(dp, j), address(sums, j)
            ds = load(p, address(p, j)) * (load(dp, place) - delta)
            store(place, ds * scale)
            store(added, ds if first else load(sums, added) + ds)


@inner
def scatter(drows, strip, length, index, first, rows, columns):
    """drows[index[i, j]] += strip[i, j], in float64."""
    for i in range(rows):
        entries = (first + i) * columns
        row = strip[i * length : i * length + columns]
        scatter_row(drows, index[entries : entries + columns], row, columns)


@inner
def all_terms(terms, static, length, bias, mask, b, h, first, rows, columns):
    """The strip that is added to the scores: the static one, or terms = static + bias + mask."""
    if not bias[0] and not mask[0]:
        return static
    copy(terms, static, rows * length)
    if bias[0]:
        apply_term(terms, length, bias, b, h, first, rows, columns, False)
    if mask[0]:
        apply_term(terms, length, mask, b, h, first, rows, columns, False)
    return terms


@inner
def write(strip, length, target, b, h, first, rows, columns):
    """target[b, h, first:] = the strip's rows."""
    count = lanes(strip)
    for i in range(rows):
        row = at(target, b, h, first + i)
        for j in range(0, columns, count):
            value = load(strip, address(strip, i * length + j))
            store_first(row + j * strip.itemsize, value, columns - j)


@inner
def scale_rows(strip, length, factors, rows):
    """strip[i] *= factors[i, 1]"""
    for i in range(rows):
        for j in range(0, length, lanes(strip)):
            place = address(strip, i * length + j)
            store(place, load(strip, place) * factors[i, 1])
