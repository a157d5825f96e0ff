"""Strips of the scores: what attention does to some rows of them between its products.

A strip is an array of rows `stride` elements apart. Other arrays come as addresses and strides in bytes,
so that one compiled version serves every layout.
"""

from typing import NamedTuple

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


class Rows(NamedTuple):
    """An array (B, H, L, ·) whose rows are contiguous."""

    address: int
    b_bytes: int  # from one b to the next
    h_bytes: int
    i_bytes: int


class Term(NamedTuple):
    """A term of the scores; b and h count modulo its sizes, one row serves all i. None at address 0."""

    address: int
    batch: int
    heads: int
    rows: int
    b_bytes: int
    h_bytes: int
    i_bytes: int


class NextRows(NamedTuple):
    """Rows of the next element of the batch, for the cache to load meanwhile; none at address 0."""

    address: int
    row_bytes: int


NO_ROWS, NO_TERM = (0,) * 4, (0,) * 7


@inner
def round_up(columns, count):
    """Columns rounded up to whole vectors."""
    return (columns + count - 1) // count * count


@inner
def row_address(rows, b, h, i):
    """Address of the row [b, h, i]."""
    return rows.address + b * rows.b_bytes + h * rows.h_bytes + i * rows.i_bytes


@inner
def moved(rows, distance):
    """The rows so many bytes further on."""
    return Rows(rows.address + distance, rows.b_bytes, rows.h_bytes, rows.i_bytes)


@inner
def term_row(term, b, h, i):
    """Address of the term's row for [b, h, i]."""
    start = term.address + (b % term.batch) * term.b_bytes + (h % term.heads) * term.h_bytes
    return start + min(i, term.rows - 1) * term.i_bytes


@inner
def gather(strip, stride, by_head, h, index, first, rows, columns):
    """strip = table[index, h], 0 without a table; −inf in the columns beyond, which the softmax drops.

    strip: (rows, columns); index: flat (Lq · columns,), read from row `first` on.
    """
    count = lanes(strip)
    for i in range(rows):
        row, entries = strip[i * stride : (i + 1) * stride], (first + i) * columns
        if index.size:
            gather_row(row[:columns], by_head[h], index[entries : entries + columns], columns)
        else:
            for j in range(columns):
                row[j] = 0
        for j in range(columns, round_up(columns, count)):
            row[j] = -np.inf


@inner
def copy(to, strip, elements):
    """to = strip in whole vectors; a slice assignment would compile numba's error paths as well."""
    for j in range(0, elements, lanes(to)):
        store(address(to, j), load(strip, address(strip, j)))


@inner
def apply_term(strip, stride, term, b, h, first, rows, columns, multiply):
    """strip += term[b, h, first : first + rows] or, with `multiply`, strip ∘= the same."""
    count = lanes(strip)
    for i in range(rows):
        source = term_row(term, b, h, first + i)
        for j in range(0, columns, count):
            target = address(strip, i * stride + j)
            old, other = load(strip, target), load_first(strip, source + j * strip.itemsize, columns - j)
            store(target, old * other if multiply else old + other)


@inner
def all_terms(terms, gathered, stride, bias, mask, b, h, first, rows, columns):
    """The strip that is added to the scores: `gathered` alone, or terms = gathered + bias + mask."""
    if not bias.address and not mask.address:
        return gathered
    copy(terms, gathered, rows * stride)
    if bias.address:
        apply_term(terms, stride, bias, b, h, first, rows, columns, False)
    if mask.address:
        apply_term(terms, stride, mask, b, h, first, rows, columns, False)
    return terms


@inner
def next_rows(rows, b, end_b, h, i):
    """The rows from i on of the next element of the batch, none at end_b."""
    if b + 1 < end_b:
        return NextRows(row_address(rows, b + 1, h, i), rows.i_bytes)
    return NextRows(0, 0)


@inner
def fetch(rows, i, width):
    """Prefetch row i; called row by row beside other work, since all rows at once would stall."""
    if rows.address:
        for byte in range(0, width, 64):
            prefetch(rows.address + i * rows.row_bytes + byte)


@inner
def exponentials(scores, terms, stride, rows, columns, scale, stats, next_q, next_k, next_v, width):
    """scores = exp(scale · scores + terms − max) in place; stats[i] = max, 1 / sum.

    All maxima first, then all sums: rows do not wait for one another.
    """
    count = lanes(scores)
    for i in range(rows):
        fetch(next_q, i, width)
        maxima = splat(scores, -np.inf)
        for j in range(i * stride, i * stride + columns, count):
            target = address(scores, j)
            score = fma(load(scores, target), scale, load(terms, address(terms, j)))
            store(target, score)
            maxima = larger(score, maxima)
        stats[i, 0] = largest(maxima)
    for i in range(rows):
        fetch(next_k, i, width)
        fetch(next_v, i, width)
        sums, maximum = splat(scores, 0.0), stats[i, 0]
        for j in range(i * stride, i * stride + columns, count):
            target = address(scores, j)
            power = exp(load(scores, target) - maximum)
            sums = sums + power
            store(target, power)
        stats[i, 1] = 1 / total(sums)


@inner
def probabilities(scores, terms, stride, rows, columns, scale, stats, next_k, next_v, width):
    """scores = P = exp(scale · scores + terms − max) / sum in place, from forward's stats."""
    for i in range(rows):
        fetch(next_k, i, width)
        fetch(next_v, i, width)
        maximum, inverse = stats[i, 0], stats[i, 1]
        for j in range(i * stride, i * stride + columns, lanes(scores)):
            target = address(scores, j)
            score = fma(load(scores, target), scale, load(terms, address(terms, j)))
            store(target, exp(score - maximum) * inverse)


@inner
def softmax_backward(p, dp, sums, stride, rows, columns, scale, add, next_q, next_dout, width):
    """dS = P ∘ (dP − Σ_j P dP); dp = scale · dS in place; sums = dS or, with `add`, sums += dS.

    A row of P adds up to 1 but for rounding. Σ_j P dP is divided by Σ_j P, so that a row of dS adds up
    to 0.
    """
    for i in range(rows):
        fetch(next_q, i, width)
        fetch(next_dout, i, width)
        p_dp, ones = splat(p, 0.0), splat(p, 0.0)
        for j in range(i * stride, i * stride + columns, lanes(p)):
            probability = load(p, address(p, j))
            p_dp = fma(probability, load(dp, address(dp, j)), p_dp)
            ones = ones + probability
        delta = total(p_dp) / total(ones)
        for j in range(i * stride, i * stride + columns, lanes(p)):
            target, sum_target = address(dp, j), address(sums, j)
            ds = load(p, address(p, j)) * (load(dp, target) - delta)
            store(target, ds * scale)
            store(sum_target, load(sums, sum_target) + ds if add else ds)


@inner
def scale_rows(strip, stride, stats, rows):
    """strip[i] *= stats[i, 1] = 1 / sum."""
    for i in range(rows):
        for j in range(0, stride, lanes(strip)):
            target = address(strip, i * stride + j)
            store(target, load(strip, target) * stats[i, 1])


@inner
def write(strip, stride, target, b, h, first, rows, columns):
    """target[b, h, first : first + rows] = strip."""
    count = lanes(strip)
    for i in range(rows):
        row = row_address(target, b, h, first + i)
        for j in range(0, columns, count):
            values = load(strip, address(strip, i * stride + j))
            store_first(row + j * strip.itemsize, values, columns - j)


@inner
def scatter(dtable, strip, stride, index, first, rows, columns):
    """dtable[index[i, j]] += strip[i, j], in float64."""
    for i in range(rows):
        entries = (first + i) * columns
        row = strip[i * stride : i * stride + columns]
        scatter_row(dtable, index[entries : entries + columns], row, columns)
