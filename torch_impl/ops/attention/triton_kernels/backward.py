"""Passes 2 to 4, backward: from dout to dq, dk and dv. The probabilities are computed again.

With P the probabilities and δ_i = Σ_j P_ij dP_ij = dout_i · out_i:

    dP = dout vᵀ    dS = P ∘ (dP − δ)    dq = scale · dS k    dk = scale · dSᵀ q    dv = Pᵀ dout

`windows_backward` does all of it, and the table's gradient, for sequences that fit in a tile. For longer
ones `queries_backward` writes δ and dq, then `keys_backward` writes dk and dv. The table's gradient has
a pass of its own (`table_gradient`). Arguments as in `forward`; a gradient has the strides of its value,
except where they are given.
"""

import triton
import triton.language as tl

from .table_gradient import add_tile
from .tiles import (
    add_mask,
    as_int64,
    load_lse,
    load_rows,
    product,
    store_rows,
    table_term,
    visible_keys,
    window_mask,
)


@triton.jit
def windows_backward(
    q, k, v, lse, table, index, queries, keys, mask,
    dout,  # (B, H, Lq, dv)
    dq,  # (B, H, Lq, d), written, like dk and dv
    dk,
    dv,
    slices,  # float32 (S, H, R) of zeros: a program adds its part of dtable to its own slice
    key_at,  # integers (offsets,): the key that has this part, −1 where none has
    q_b, q_h, q_l, k_b, k_h, k_l, v_b, v_h, v_l, o_b, o_h, o_l, mask_w, mask_h, mask_i, mask_j,
    dq_b, dq_h, dq_l, dk_b, dk_h, dk_l, dv_b, dv_h, dv_l,
    batch, heads, q_len, k_len, dim, v_dim, num_rows, num_offsets, prefix, num_masks, scale, chunk,
    MODE: tl.constexpr, PREFIX: tl.constexpr, MASKED: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
):  # fmt: skip
    """A program computes one head of `chunk` windows. It sums dS over them, then by rows."""
    h = tl.program_id(1)
    first = tl.program_id(0) * chunk
    i, j = tl.arange(0, M), tl.arange(0, N)
    bias = table_term(
        i[:, None], j[None, :], q_len, k_len, table + h * num_rows,
        index, queries, keys, num_rows, num_offsets, prefix, MODE, PREFIX,
    )  # fmt: skip
    sum_ds = tl.zeros((M, N), tl.float32)
    for n in range(first, tl.minimum(first + chunk, batch)):
        b = as_int64(n)
        qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
        ks = load_rows(k + b * k_b + h * k_h, j, k_len, k_l, dim, D)
        vs = load_rows(v + b * v_b + h * v_h, j, k_len, v_l, v_dim, DV)
        do = load_rows(dout + b * o_b + h * o_h, i, q_len, o_l, v_dim, DV)
        largest, log_sum = load_lse(lse + (b * heads + h) * 2 * q_len, i, q_len)
        window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
        term = add_mask(bias, i[:, None], j[None, :], q_len, k_len, window, mask_i, mask_j, MASKED)
        s = product(qs, tl.trans(ks)) * scale + term  # (M, N)
        dp = product(do, tl.trans(vs))
        p = tl.exp(s - largest[:, None] - log_sum[:, None])
        rows = product(tl.trans(p.to(do.dtype)), do)
        store_rows(dv + b * dv_b + h * dv_h, rows, j, k_len, dv_l, v_dim, DV)
        ds = p * (dp - tl.sum(p * dp, 1)[:, None])
        if MODE != "none":
            sum_ds += ds
        ds = ds.to(qs.dtype)
        store_rows(dq + b * dq_b + h * dq_h, product(ds, ks) * scale, i, q_len, dq_l, dim, D)
        store_rows(dk + b * dk_b + h * dk_h, product(tl.trans(ds), qs) * scale, j, k_len, dk_l, dim, D)
    if MODE != "none":
        start = tl.minimum(chunk, 0)  # a 0 that the compiler does not see: nothing waits in registers
        own = slices + as_int64(tl.program_id(0) * heads + h) * num_rows
        add_tile(
            own, sum_ds, start, start, q_len, k_len, index, queries, keys, key_at, num_rows, num_offsets,
            prefix, MODE, PREFIX, M, N,
        )  # fmt: skip


@triton.jit
def queries_backward(
    q, k, v, out, lse, table, index, queries, keys, mask, dout, dq,
    delta,  # float32 (B, H, Lq), written: δ
    q_b, q_h, q_l, k_b, k_h, k_l, v_b, v_h, v_l, o_b, o_h, o_l, mask_w, mask_h, mask_i, mask_j,
    do_b, do_h, do_l, dq_b, dq_h, dq_l,
    heads, q_len, k_len, dim, v_dim, num_rows, num_offsets, prefix, num_masks, scale, causal,
    MODE: tl.constexpr, PREFIX: tl.constexpr, MASKED: tl.constexpr, CAUSAL: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
):  # fmt: skip
    """Pass 2. A program computes M queries of one head and batch element, and loops over the keys."""
    # Wide rows of float32 fit in the registers only if dq is summed up as (D, M).
    transposed: tl.constexpr = D > 64 and q.dtype.element_ty == tl.float32
    tiles = tl.cdiv(q_len, M)
    i_first = (tl.program_id(0) % tiles) * M
    h = (tl.program_id(0) // tiles) % heads
    n = tl.program_id(0) // tiles // heads
    b = as_int64(n)
    i = i_first + tl.arange(0, M)
    qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
    os = load_rows(out + b * o_b + h * o_h, i, q_len, o_l, v_dim, DV)
    do = load_rows(dout + b * do_b + h * do_h, i, q_len, do_l, v_dim, DV)
    largest, log_sum = load_lse(lse + (b * heads + h) * 2 * q_len, i, q_len)
    dots = tl.sum(os.to(tl.float32) * do.to(tl.float32), 1)
    tl.store(delta + (b * heads + h) * q_len + i, dots, mask=i < q_len)
    window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
    sum_dq = tl.zeros((D, M) if transposed else (M, D), tl.float32)
    end = visible_keys(i_first, i_first + M - 1, k_len, prefix, causal, CAUSAL)
    for j_first in range(0, end, N):
        j = j_first + tl.arange(0, N)
        ks = load_rows(k + b * k_b + h * k_h, j, k_len, k_l, dim, D)
        vs = load_rows(v + b * v_b + h * v_h, j, k_len, v_l, v_dim, DV)
        term = table_term(
            i[:, None], j[None, :], q_len, k_len, table + h * num_rows,
            index, queries, keys, num_rows, num_offsets, prefix, MODE, PREFIX,
        )  # fmt: skip
        term = add_mask(term, i[:, None], j[None, :], q_len, k_len, window, mask_i, mask_j, MASKED)
        s = product(qs, tl.trans(ks)) * scale + term  # (M, N)
        p = tl.exp(s - largest[:, None] - log_sum[:, None])
        ds = (p * (product(do, tl.trans(vs)) - dots[:, None])).to(ks.dtype)
        if transposed:
            sum_dq += product(tl.trans(ks), tl.trans(ds))
        else:
            sum_dq += product(ds, ks)
    if transposed:
        sum_dq = tl.trans(sum_dq)
    store_rows(dq + b * dq_b + h * dq_h, sum_dq * scale, i, q_len, dq_l, dim, D)


@triton.jit
def keys_backward(
    q, k, v, lse, table, index, queries, keys, mask, dout, dk, dv,
    delta,  # float32 (B, H, Lq): δ from pass 2
    q_b, q_h, q_l, k_b, k_h, k_l, v_b, v_h, v_l, mask_w, mask_h, mask_i, mask_j,
    do_b, do_h, do_l, dk_b, dk_h, dk_l, dv_b, dv_h, dv_l,
    heads, q_len, k_len, dim, v_dim, num_rows, num_offsets, prefix, num_masks, scale, causal,
    MODE: tl.constexpr, PREFIX: tl.constexpr, MASKED: tl.constexpr, CAUSAL: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
):  # fmt: skip
    """Pass 3. A program computes N keys of one head and batch element, and loops over the queries.

    Its tiles are transposed (N, M), so that they are the first factor of the products for dk and dv.
    """
    tiles = tl.cdiv(k_len, N)
    j_first = (tl.program_id(0) % tiles) * N
    h = (tl.program_id(0) // tiles) % heads
    n = tl.program_id(0) // tiles // heads
    b = as_int64(n)
    j = j_first + tl.arange(0, N)
    ks = load_rows(k + b * k_b + h * k_h, j, k_len, k_l, dim, D)
    vs = load_rows(v + b * v_b + h * v_h, j, k_len, v_l, v_dim, DV)
    window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
    sum_dk = tl.zeros((N, D), tl.float32)
    sum_dv = tl.zeros((N, DV), tl.float32)
    start = 0
    if CAUSAL and not PREFIX:  # prefix queries come first and may see all keys
        start = tl.maximum(j_first - causal, 0) // M * M
    for i_first in range(start, q_len, M):
        i = i_first + tl.arange(0, M)
        qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
        do = load_rows(dout + b * do_b + h * do_h, i, q_len, do_l, v_dim, DV)
        largest, log_sum = load_lse(lse + (b * heads + h) * 2 * q_len, i, q_len)
        dots = tl.load(delta + (b * heads + h) * q_len + i, mask=i < q_len, other=0.0)
        term = table_term(
            i[None, :], j[:, None], q_len, k_len, table + h * num_rows,
            index, queries, keys, num_rows, num_offsets, prefix, MODE, PREFIX,
        )  # fmt: skip
        term = add_mask(term, i[None, :], j[:, None], q_len, k_len, window, mask_i, mask_j, MASKED)
        s = product(ks, tl.trans(qs)) * scale + term  # (N, M)
        p = tl.exp(s - largest[None, :] - log_sum[None, :])
        sum_dv += product(p.to(do.dtype), do)
        ds = p * (product(vs, tl.trans(do)) - dots[None, :])
        sum_dk += product(ds.to(qs.dtype), qs)
    store_rows(dk + b * dk_b + h * dk_h, sum_dk * scale, j, k_len, dk_l, dim, D)
    store_rows(dv + b * dv_b + h * dv_h, sum_dv, j, k_len, dv_l, v_dim, DV)
