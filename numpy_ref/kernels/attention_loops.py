"""Fused attention, its scores a strip of rows at a time, so that memory grows with Lk.

An item is a head, a chunk of the batch and a group of strips. Its bias strip is gathered once for the
whole chunk; the table's gradient is first added up over the chunk in a strip, then scattered once.
"""

from .attention_strips import (
    all_terms,
    apply_term,
    at,
    gather,
    next_rows,
    probabilities,
    scale_rows,
    scatter,
    softmax,
    softmax_backward,
    whole,
    write,
)
from .machine.jit import compiled, inner
from .machine.pack import pack_columns, pack_rows
from .machine.product import product
from .machine.simd import address, lanes
from .machine.threads import share, taken


@inner
def item_of(item, shape, plan):
    """(head, first and last of the batch, first and last strip, chunk, group)"""
    batch, heads = shape[0], shape[1]
    chunk, strips, groups = plan
    head, rest = item % heads, item // heads
    group, part = rest % groups, rest // groups
    first = part * chunk
    last = min(first + chunk, batch)
    return head, first, last, strips * group // groups, strips * (group + 1) // groups, part, group


@inner
def as_right(packed, start, row, rows, columns):
    """(address, b_k) of a product's right-hand side: the rows, packed unless they are whole vectors."""
    if columns % lanes(packed) == 0:
        return start, row // packed.itemsize
    pack_rows(packed, 0, start, row, rows, columns)
    return address(packed, 0), 0


@inner
def product_with(code, packed, rows, columns, depth, a, a_row, a_k, b, b_row, c, c_row, more):
    """C = A B or, with `more`, C += A B; b: rows of an array, b_row bytes apart."""
    right, step = as_right(packed, b, b_row, depth, columns)
    start = c if more else 0
    product(code, rows, columns, depth, a, a_row, a_k, right, step, c, c_row, start, c_row)


@compiled
def forward(worker, words, helpers, *arguments):
    """out and, for each row of the scores, its maximum and 1 / Σ exp(score − maximum)."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, places, code, by_head, index, q, k, v = arguments[:10]
    bias, mask, dropout, scale, shape, plan, out, stats = arguments[10:]
    scratch = scratches[worker]
    turned, values = scratch[places[0] : places[1]], scratch[places[1] : places[2]]
    static, terms = scratch[places[2] : places[3]], scratch[places[3] : places[4]]
    scores, strip_out = scratch[places[4] : places[5]], scratch[places[5] : places[6]]
    _, _, q_len, k_len, dim, v_dim, length = shape
    count, size = lanes(scratch), scratch.itemsize
    columns, v_columns = whole(k_len, count), whole(v_dim, count)
    for item in taken(progress, pieces):
        head, b_first, b_last, t_first, t_last, _, _ = item_of(item, shape, plan)
        for t in range(t_first, t_last):
            i = q_len * t // plan[1]
            rows = q_len * (t + 1) // plan[1] - i
            gather(static, length, by_head, head, index, i, rows, k_len)
            for b in range(b_first, b_last):
                own = b - b_first if t_last - t_first > 1 else 0  # one strip uses one place again
                if t == t_first:
                    pack_columns(turned, own * dim * columns, at(k, b, head, 0), k[3], dim, k_len)
                product(
                    code, rows, columns, dim, at(q, b, head, i), q[3] // size, 1,
                    address(turned, own * dim * columns), 0, address(scores, 0), length, 0, 0,
                )  # fmt: skip
                added = all_terms(terms, static, length, bias, mask, b, head, i, rows, k_len)
                row_stats = stats[b, head, i : i + rows]
                ahead_q, ahead_k = next_rows(q, b, b_last, head, i), next_rows(k, b, b_last, head, i)
                ahead = ahead_q, ahead_k, next_rows(v, b, b_last, head, i)
                softmax(scores, added, length, rows, columns, scale, row_stats, ahead, dim * size)
                if dropout[0]:
                    apply_term(scores, length, dropout, b, head, i, rows, k_len, True)
                right, step = as_right(values, at(v, b, head, 0), v[3], k_len, v_dim)
                product(
                    code, rows, v_columns, k_len, address(scores, 0), length, 1,
                    right, step, address(strip_out, 0), v_columns, 0, 0,
                )  # fmt: skip
                scale_rows(strip_out, v_columns, row_stats, rows)
                write(strip_out, v_columns, out, b, head, i, rows, v_dim)


@compiled
def backward(worker, words, helpers, *arguments):
    """dq; dk and dv of each group; dtable[item] in float64 and dbias[chunk] where they are asked for."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, places, code, by_head, index, q, k, v = arguments[:10]
    bias, mask, dropout, scale, shape, plan, stats, dout, dq, dk, dv, dtable, dbias = arguments[10:]
    scratch = scratches[worker]
    k_turned, v_turned = scratch[places[0] : places[1]], scratch[places[1] : places[2]]
    packed, static = scratch[places[2] : places[3]], scratch[places[3] : places[4]]
    terms, sums = scratch[places[4] : places[5]], scratch[places[5] : places[6]]
    p, dp = scratch[places[6] : places[7]], scratch[places[7] : places[8]]
    _, _, q_len, k_len, dim, v_dim, length = shape
    size, columns = scratch.itemsize, whole(k_len, lanes(scratch))
    for item in taken(progress, pieces):
        head, b_first, b_last, t_first, t_last, part, group = item_of(item, shape, plan)
        if dtable.size:
            dtable[item] = 0
        for t in range(t_first, t_last):
            i = q_len * t // plan[1]
            rows = q_len * (t + 1) // plan[1] - i
            gather(static, length, by_head, head, index, i, rows, k_len)
            for b in range(b_first, b_last):
                own = b - b_first if t_last - t_first > 1 else 0
                q_i, dout_i = at(q, b, head, i), at(dout, b, head, i)
                k_turned_b, v_turned_b = own * dim * columns, own * v_dim * columns
                if t == t_first:
                    pack_columns(k_turned, k_turned_b, at(k, b, head, 0), k[3], dim, k_len)
                    pack_columns(v_turned, v_turned_b, at(v, b, head, 0), v[3], v_dim, k_len)
                product(
                    code, rows, columns, dim, q_i, q[3] // size, 1,
                    address(k_turned, k_turned_b), 0, address(p, 0), length, 0, 0,
                )  # fmt: skip
                product(
                    code, rows, columns, v_dim, dout_i, dout[3] // size, 1,
                    address(v_turned, v_turned_b), 0, address(dp, 0), length, 0, 0,
                )  # fmt: skip
                if dropout[0]:
                    apply_term(dp, length, dropout, b, head, i, rows, k_len, True)
                added = all_terms(terms, static, length, bias, mask, b, head, i, rows, k_len)
                row_stats, width = stats[b, head, i : i + rows], dim * size
                ahead = next_rows(k, b, b_last, head, i), next_rows(v, b, b_last, head, i)
                probabilities(p, added, length, rows, columns, scale, row_stats, ahead, width)
                ahead = next_rows(q, b, b_last, head, i), next_rows(dout, b, b_last, head, i)
                first = b == b_first
                softmax_backward(p, dp, sums, length, rows, columns, scale, first, ahead, width)
                if dropout[0]:
                    apply_term(p, length, dropout, b, head, i, rows, k_len, True)
                product_with(
                    code, packed, rows, dim, k_len, address(dp, 0), length, 1,
                    at(k, b, head, 0), k[3], at(dq, b, head, i), dq[3] // size, False,
                )  # fmt: skip
                product_with(
                    code, packed, k_len, dim, rows, address(dp, 0), 1, length,
                    q_i, q[3], at(dk, b, head, 0) + group * dk[4], dk[3] // size, t > t_first,
                )  # fmt: skip
                product_with(
                    code, packed, k_len, v_dim, rows, address(p, 0), 1, length,
                    dout_i, dout[3], at(dv, b, head, 0) + group * dv[4], dv[3] // size, t > t_first,
                )  # fmt: skip
            if dtable.size:
                scatter(dtable[item], sums, length, index, i, rows, k_len)
            if dbias[0]:
                write(sums, length, dbias, part, head, i, rows, k_len)
