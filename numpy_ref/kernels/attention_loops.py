"""Fused attention, a strip of rows of the scores at a time: scratch grows with Lk, not with Lq · Lk.

A piece of the work is a head, a chunk of the batch and a group of strips. Its bias strip is gathered
once for the whole chunk. The table's gradient is added up over the
chunk and scattered once.
The passes are numbered in forward; backward has the same numbers.

Python passes plain tuples: numba unpacks them three times as fast as named ones.
"""

from typing import NamedTuple

import numpy as np

from .attention_strips import (
    Rows,
    Term,
    all_terms,
    apply_term,
    exponentials,
    gather,
    moved,
    next_rows,
    probabilities,
    round_up,
    row_address,
    scale_rows,
    scatter,
    softmax_backward,
    write,
)
from .machine.jit import compiled, inner
from .machine.pack import pack_columns, pack_rows
from .machine.product import product
from .machine.simd import address, lanes
from .machine.threads import share, taken


class Shape(NamedTuple):
    batch: int
    heads: int
    q_len: int
    k_len: int
    dim: int
    v_dim: int
    stride: int  # elements between the rows of a strip


class Plan(NamedTuple):
    chunk_size: int  # elements of the batch in a chunk; a piece has one chunk
    strips: int  # that the rows of the scores are cut into
    groups: int  # of strips; a piece has one


class Inputs(NamedTuple):
    """What forward and backward read."""

    code: int  # the compiled product
    by_head: np.ndarray  # (H, R), the transposed table; (H, 0) without one
    index: np.ndarray  # flat (Lq · Lk,), uint64; empty without a table
    q: Rows  # (B, H, Lq, d)
    k: Rows  # (B, H, Lk, d)
    v: Rows  # (B, H, Lk, dv)
    bias: Term
    mask: Term
    dropout: Term
    scale: float
    stats: np.ndarray  # (B, H, Lq, 2): the maximum of a row of the scores, 1 / Σ exp(score − maximum)


class ForwardScratch(NamedTuple):
    """Where the parts of a thread's scratch begin, in elements."""

    packed_k: int  # kᵀ of every element of the chunk
    packed_v: int
    gathered: int
    terms: int
    scores: int
    out: int
    end: int


class BackwardScratch(NamedTuple):
    packed_k: int  # kᵀ and vᵀ of every element of the chunk
    packed_v: int
    right: int  # rows packed for one product
    gathered: int
    terms: int
    sums: int  # dS summed over the chunk
    p: int
    dp: int
    end: int


class Piece(NamedTuple):
    head: int
    chunk: int  # the elements b of the batch, first_b ≤ b < end_b
    first_b: int
    end_b: int
    group: int  # the strips t, first_t ≤ t < end_t
    first_t: int
    end_t: int


@inner
def named(inputs):
    """Inputs, from plain tuples in the same order."""
    code, by_head, index, q, k, v, bias, mask, dropout, scale, stats = inputs
    q, k, v = Rows(*q), Rows(*k), Rows(*v)
    bias, mask, dropout = Term(*bias), Term(*mask), Term(*dropout)
    return Inputs(code, by_head, index, q, k, v, bias, mask, dropout, scale, stats)


@inner
def piece_of(piece, shape, plan):
    head, rest = piece % shape.heads, piece // shape.heads
    group, chunk = rest % plan.groups, rest // plan.groups
    first_b = chunk * plan.chunk_size
    end_b = min(first_b + plan.chunk_size, shape.batch)
    first_t, end_t = plan.strips * group // plan.groups, plan.strips * (group + 1) // plan.groups
    return Piece(head, chunk, first_b, end_b, group, first_t, end_t)


@inner
def strips_of(q_len, strips, first_t, end_t):
    """Yield (t, first row, rows) of the strips first_t ≤ t < end_t, which are of nearly equal height."""
    for t in range(first_t, end_t):
        i = q_len * t // strips
        yield t, i, q_len * (t + 1) // strips - i


@inner
def times_packed(code, strip, stride, rows, columns, x, width, b, h, i, packed, packed_at):
    """strip (rows, columns) = x[b, h, i : i + rows] (rows, width) times what is packed at packed_at."""
    product(
        code, rows, columns, width, row_address(x, b, h, i), x.i_bytes // strip.itemsize, 1,
        address(packed, packed_at), 0, address(strip, 0), stride, 0, 0,
    )  # fmt: skip


@inner
def as_right(packed, start, row_bytes, rows, columns):
    """b and b_k of a product with the rows at `start`: packed, unless they are whole vectors."""
    if columns % lanes(packed) == 0:
        return start, row_bytes // packed.itemsize
    pack_rows(packed, 0, start, row_bytes, rows, columns)
    return address(packed, 0), 0


@inner
def product_with(code, packed, rows, columns, depth, a, a_row, a_k, b, b_row_bytes, c, c_row, add):
    """C = A B or, with `add`, C += A B; b: rows of an array, b_row_bytes apart."""
    right, right_k = as_right(packed, b, b_row_bytes, depth, columns)
    product(code, rows, columns, depth, a, a_row, a_k, right, right_k, c, c_row, c if add else 0, c_row)


@inner
def transposed_times(code, packed, strip, stride, rows, columns, x, width, b, h, i, out, add):
    """out[b, h] (columns, width) = stripᵀ x[b, h, i : i + rows] or, with `add`, += the same."""
    product_with(
        code, packed, columns, width, rows, address(strip, 0), 1, stride,
        row_address(x, b, h, i), x.i_bytes,
        row_address(out, b, h, 0), out.i_bytes // strip.itemsize, add,
    )  # fmt: skip


@compiled
def forward(worker, words, helpers, *arguments):
    """out = softmax(scale · q kᵀ + terms) ∘ dropout · v, and stats."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, inputs, begin, shape, plan, out = arguments
    begin, shape, plan = ForwardScratch(*begin), Shape(*shape), Plan(*plan)
    out = Rows(*out)
    code, by_head, index, q, k, v, bias, mask, dropout, scale, stats = named(inputs)
    scratch = scratches[worker]
    packed_k, packed_v = scratch[: begin.packed_v], scratch[begin.packed_v : begin.gathered]
    gathered, terms = scratch[begin.gathered : begin.terms], scratch[begin.terms : begin.scores]
    scores, strip_out = scratch[begin.scores : begin.out], scratch[begin.out :]
    _, _, q_len, k_len, dim, v_dim, stride = shape
    columns, v_columns = round_up(k_len, lanes(scratch)), round_up(v_dim, lanes(scratch))
    width = dim * scratch.itemsize  # to prefetch; v's may differ
    for piece in taken(progress, pieces):
        h, _, first_b, end_b, _, first_t, end_t = piece_of(piece, shape, plan)
        for t, i, rows in strips_of(q_len, plan.strips, first_t, end_t):
            # 1  gathered (rows, Lk) = table[index], the same for the whole chunk
            gather(gathered, stride, by_head, h, index, i, rows, k_len)
            for b in range(first_b, end_b):
                slot = b - first_b if end_t - first_t > 1 else 0
                packed_at = slot * dim * columns
                if t == first_t:
                    pack_columns(packed_k, packed_at, row_address(k, b, h, 0), k.i_bytes, dim, k_len)
                # 2  scores (rows, Lk) = q kᵀ
                times_packed(code, scores, stride, rows, columns, q, dim, b, h, i, packed_k, packed_at)
                # 3  added (rows, Lk) = gathered + bias + mask
                added = all_terms(terms, gathered, stride, bias, mask, b, h, i, rows, k_len)
                # 4  scores = exp(scale · scores + added − max); stats = max, 1 / sum
                row_stats = stats[b, h, i : i + rows]
                next_q, next_k = next_rows(q, b, end_b, h, i), next_rows(k, b, end_b, h, i)
                next_v = next_rows(v, b, end_b, h, i)
                exponentials(
                    scores, added, stride, rows, columns, scale, row_stats, next_q, next_k, next_v, width
                )
                # 5  scores ∘= dropout
                if dropout.address:
                    apply_term(scores, stride, dropout, b, h, i, rows, k_len, True)
                # 6  out (rows, dv) = scores v / sum
                right, right_k = as_right(packed_v, row_address(v, b, h, 0), v.i_bytes, k_len, v_dim)
                product(
                    code, rows, v_columns, k_len, address(scores, 0), stride, 1,
                    right, right_k, address(strip_out, 0), v_columns, 0, 0,
                )  # fmt: skip
                scale_rows(strip_out, v_columns, row_stats, rows)
                write(strip_out, v_columns, out, b, h, i, rows, v_dim)


@compiled
def backward(worker, words, helpers, *arguments):
    """dq; dk and dv of each group; dtable[piece] and dbias[chunk] where they are wanted.

    P is computed again from q, k and stats: passes 1 to 4 as in forward. Every group of strips has a dk
    and a dv of its own, dk_group and dv_group bytes apart. dtable: (pieces, R), float64. dbias:
    (chunks, H, Lq, Lk).
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, inputs, begin, shape, plan, dout, grads = arguments
    code, by_head, index, q, k, v, bias, mask, dropout, scale, stats = named(inputs)
    begin, shape, plan = BackwardScratch(*begin), Shape(*shape), Plan(*plan)
    dq, dk, dk_group, dv, dv_group, dtable, dbias = grads
    dout, dq, dk, dv, dbias = Rows(*dout), Rows(*dq), Rows(*dk), Rows(*dv), Rows(*dbias)
    scratch = scratches[worker]
    packed_k, packed_v = scratch[: begin.packed_v], scratch[begin.packed_v : begin.right]
    right, gathered = scratch[begin.right : begin.gathered], scratch[begin.gathered : begin.terms]
    terms, sums = scratch[begin.terms : begin.sums], scratch[begin.sums : begin.p]
    p, dp = scratch[begin.p : begin.dp], scratch[begin.dp :]
    _, _, q_len, k_len, dim, v_dim, stride = shape
    size, columns = scratch.itemsize, round_up(k_len, lanes(scratch))
    width = dim * size
    for piece in taken(progress, pieces):
        h, chunk, first_b, end_b, group, first_t, end_t = piece_of(piece, shape, plan)
        dk_of_group, dv_of_group = moved(dk, group * dk_group), moved(dv, group * dv_group)
        if dtable.size:
            dtable[piece] = 0
        for t, i, rows in strips_of(q_len, plan.strips, first_t, end_t):
            # 1  gathered (rows, Lk) = table[index]
            gather(gathered, stride, by_head, h, index, i, rows, k_len)
            # In two functions this body takes 3 % longer at 7×7, 30 % at 3×3: calls count references.
            for b in range(first_b, end_b):
                slot = b - first_b if end_t - first_t > 1 else 0
                k_at, v_at = slot * dim * columns, slot * v_dim * columns
                if t == first_t:
                    pack_columns(packed_k, k_at, row_address(k, b, h, 0), k.i_bytes, dim, k_len)
                    pack_columns(packed_v, v_at, row_address(v, b, h, 0), v.i_bytes, v_dim, k_len)
                # 2  p (rows, Lk) = q kᵀ
                times_packed(code, p, stride, rows, columns, q, dim, b, h, i, packed_k, k_at)
                # 6  dp (rows, Lk) = dout vᵀ
                times_packed(code, dp, stride, rows, columns, dout, v_dim, b, h, i, packed_v, v_at)
                # 5  dp ∘= dropout
                if dropout.address:
                    apply_term(dp, stride, dropout, b, h, i, rows, k_len, True)
                # 3  added (rows, Lk) = gathered + bias + mask
                added = all_terms(terms, gathered, stride, bias, mask, b, h, i, rows, k_len)
                # 4  p = P = exp(scale · p + added − max) / sum;  dS = P ∘ (dp − Σ_j P dp),
                #    dp = scale · dS and, for 3, sums += dS
                row_stats = stats[b, h, i : i + rows]
                next_k, next_v = next_rows(k, b, end_b, h, i), next_rows(v, b, end_b, h, i)
                probabilities(p, added, stride, rows, columns, scale, row_stats, next_k, next_v, width)
                next_q, next_dout = next_rows(q, b, end_b, h, i), next_rows(dout, b, end_b, h, i)
                softmax_backward(
                    p, dp, sums, stride, rows, columns, scale, b > first_b, next_q, next_dout, width
                )
                # 2  dq (rows, d) = scale dS k,  dk (Lk, d) += scale dSᵀ q
                product_with(
                    code, right, rows, dim, k_len, address(dp, 0), stride, 1,
                    row_address(k, b, h, 0), k.i_bytes,
                    row_address(dq, b, h, i), dq.i_bytes // size, False,
                )  # fmt: skip
                transposed_times(
                    code, right, dp, stride, rows, k_len, q, dim, b, h, i, dk_of_group, t > first_t
                )
                # 6  dv (Lk, dv) += (P ∘ dropout)ᵀ dout
                if dropout.address:
                    apply_term(p, stride, dropout, b, h, i, rows, k_len, True)
                transposed_times(
                    code, right, p, stride, rows, k_len, dout, v_dim, b, h, i, dv_of_group, t > first_t
                )
            # 1  dtable[index] += sums;  3  dbias = sums
            if dtable.size:
                scatter(dtable[piece], sums, stride, index, i, rows, k_len)
            if dbias.address:
                write(sums, stride, dbias, chunk, h, i, rows, k_len)
