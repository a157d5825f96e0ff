"""Pass 1, forward: out = softmax(scale · q kᵀ + table[rows] + mask) v, and the log of each row's sum.

`windows_forward` is for sequences that fit in a tile; `tiles_forward` for longer ones.
"""

import triton
import triton.language as tl

from .tiles import (
    add_mask,
    as_int64,
    load_rows,
    product,
    store_lse,
    store_rows,
    table_term,
    visible_keys,
    window_mask,
)


@triton.jit
def windows_forward(
    q,  # (B, H, Lq, d)
    k,  # (B, H, Lk, d)
    v,  # (B, H, Lk, dv)
    out,  # (B, H, Lq, dv), written
    lse,  # float32 (B, H, 2, Lq), written: see store_lse
    table,  # float32 (H, R)
    index,  # int32 (Lq, Lk)
    queries,  # integers (Lq,)
    keys,  # integers (Lk,)
    mask,  # (nW, H or 1, Lq or 1, Lk or 1)
    q_b, q_h, q_l,  # elements of q from batch element to batch element, head to head, token to token
    k_b, k_h, k_l,
    v_b, v_h, v_l,
    o_b, o_h, o_l,
    mask_w, mask_h, mask_i, mask_j,  # the same for the mask, 0 where it is broadcast
    batch,  # B
    heads,  # H
    q_len,  # Lq
    k_len,  # Lk
    dim,  # d
    v_dim,  # dv
    num_rows,  # R
    num_offsets,  # offsets; the prefix tokens' three rows follow
    prefix,  # number of prefix tokens
    num_masks,  # nW: element b of the batch has mask b mod nW
    scale,  # factor of q kᵀ
    chunk,  # batch elements per program
    MODE: tl.constexpr,  # "none", "index" or "offsets"
    PREFIX: tl.constexpr,  # whether there are prefix tokens
    MASKED: tl.constexpr,  # whether there is a mask
    M: tl.constexpr,  # queries of a tile, ≥ Lq
    N: tl.constexpr,  # keys of a tile, ≥ Lk
    D: tl.constexpr,  # channels of a tile, ≥ d
    DV: tl.constexpr,  # the same for v
):  # fmt: skip
    """A program computes one head of `chunk` windows. The bias is read once, into registers."""
    h = tl.program_id(1)
    first = tl.program_id(0) * chunk
    i, j = tl.arange(0, M), tl.arange(0, N)
    bias = table_term(
        i[:, None], j[None, :], q_len, k_len, table + h * num_rows,
        index, queries, keys, num_rows, num_offsets, prefix, MODE, PREFIX,
    )  # fmt: skip
    for n in range(first, tl.minimum(first + chunk, batch)):
        b = as_int64(n)
        qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
        ks = load_rows(k + b * k_b + h * k_h, j, k_len, k_l, dim, D)
        vs = load_rows(v + b * v_b + h * v_h, j, k_len, v_l, v_dim, DV)
        window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
        term = add_mask(bias, i[:, None], j[None, :], q_len, k_len, window, mask_i, mask_j, MASKED)
        s = product(qs, tl.trans(ks)) * scale + term  # (M, N)
        largest = tl.max(s, 1)
        p = tl.exp(s - largest[:, None])
        total = tl.sum(p, 1)
        o = product(p.to(vs.dtype), vs) / total[:, None]  # (M, DV)
        store_rows(out + b * o_b + h * o_h, o, i, q_len, o_l, v_dim, DV)
        store_lse(lse + (b * heads + h) * 2 * q_len, i, q_len, largest, total)


@triton.jit
def tiles_forward(
    q, k, v, out, lse, table, index, queries, keys, mask,
    q_b, q_h, q_l, k_b, k_h, k_l, v_b, v_h, v_l, o_b, o_h, o_l, mask_w, mask_h, mask_i, mask_j,
    heads, q_len, k_len, dim, v_dim, num_rows, num_offsets, prefix, num_masks, scale,
    causal,  # C: keys j > i + C are hidden
    MODE: tl.constexpr, PREFIX: tl.constexpr, MASKED: tl.constexpr,
    CAUSAL: tl.constexpr,  # whether keys are hidden
    M: tl.constexpr, N: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
):  # fmt: skip
    """A program computes M queries of one head and batch element. It loops over the keys, N at a time.

    The softmax is online: the loop carries the largest score so far, and the sum and the output
    relative to it.
    Arguments as for `windows_forward`.
    """
    tiles = tl.cdiv(q_len, M)
    i_first = (tl.program_id(0) % tiles) * M
    h = (tl.program_id(0) // tiles) % heads
    n = tl.program_id(0) // tiles // heads
    b = as_int64(n)
    i = i_first + tl.arange(0, M)
    qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
    window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
    largest = tl.full((M,), float("-inf"), tl.float32)
    total = tl.zeros((M,), tl.float32)
    o = tl.zeros((M, DV), tl.float32)
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
        larger = tl.maximum(largest, tl.max(s, 1))
        base = tl.where(larger == float("-inf"), 0.0, larger)  # nothing but −inf so far
        p = tl.exp(s - base[:, None])
        shrink = tl.exp(largest - base)
        total = total * shrink + tl.sum(p, 1)
        o = o * shrink[:, None] + product(p.to(vs.dtype), vs)
        largest = larger
    store_rows(out + b * o_b + h * o_h, o / total[:, None], i, q_len, o_l, v_dim, DV)
    store_lse(lse + (b * heads + h) * 2 * q_len, i, q_len, largest, total)
