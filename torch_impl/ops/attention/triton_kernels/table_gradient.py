"""Pass 4 and 5: dtable[r, h] = Σ dS[b, h, i, j] over all b and over the pairs (i, j) that read row r.

Without atomics and in a fixed order:

1. A program adds dS of a tile of pairs up over the batch, in registers. Only then `add_tile` sorts the
   sum into rows, and adds it to the program's own slice of `slices` (S, H, R).
2. `sum_slices` adds the slices up.

With offsets, the pairs of a tile that have offset o lie on a line: at most one key per query. So for a
number of offsets at once, each query fetches the term of its key, and the queries are added up.
"""

import triton
import triton.language as tl

from .tiles import add_mask, as_int64, is_row, load_lse, load_rows, product, table_term, window_mask

FAR: tl.constexpr = tl.constexpr(1 << 29)  # above every offset; twice that is still an int32


@triton.jit
def add_tile(
    own,  # pointer to the program's slice (R,), float32
    tile,  # (M, N), float32: Σ_b dS, 0 outside
    i_first,  # number of the tile's first query
    j_first,  # number of its first key
    q_len,
    k_len,
    index,
    queries,
    keys,
    key_at,
    num_rows,
    num_offsets,
    prefix,
    MODE: tl.constexpr,
    PREFIX: tl.constexpr,
    M: tl.constexpr,
    N: tl.constexpr,
):
    """Add the tile to the rows that its pairs read."""
    if MODE == "index":
        add_by_index(own, tile, i_first, j_first, q_len, k_len, index, num_rows, M, N)
    else:
        add_by_offset(
            own, tile, i_first, j_first, q_len, k_len, queries, keys, key_at, num_offsets, prefix, M, N
        )
        if PREFIX:
            add_prefix(own + num_offsets, tile, i_first, j_first, q_len, k_len, prefix, M, N)


@triton.jit
def add_by_index(
    own, tile, i_first, j_first, q_len, k_len, index, num_rows, M: tl.constexpr, N: tl.constexpr
):
    """Loop over the rows from the smallest to the largest that occur, and sum the tile for each.

    A row that the table does not have is left out.
    """
    i, j = i_first + tl.arange(0, M)[:, None], j_first + tl.arange(0, N)[None, :]
    inside = (i < q_len) & (j < k_len)
    rows = tl.load(index + i * k_len + j, mask=inside, other=-1)
    rows = tl.where(is_row(rows, num_rows), rows, -1)
    first = tl.min(tl.where(rows >= 0, rows, num_rows))
    for row in range(first, tl.max(rows) + 1):
        total = tl.sum(tl.where(rows == row, tile, 0.0))
        tl.store(own + row, tl.load(own + row) + total)
    tl.debug_barrier()  # another thread may add to the row of the next tile


@triton.jit
def add_by_offset(
    own, tile, i_first, j_first, q_len, k_len, queries, keys, key_at, num_offsets, prefix,
    M: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Loop over the offsets that occur, N at a time; prefix tokens have no offset.

    An offset that the table does not have is left out. Where two keys are alike every sum is NaN: one of
    them is not found.
    """
    i, j = i_first + tl.arange(0, M), j_first + tl.arange(0, N)
    i_inside, j_inside = (i >= prefix) & (i < q_len), (j >= prefix) & (j < k_len)
    query_part = tl.load(queries + i, mask=i_inside, other=0).to(tl.int32)
    key_part = tl.load(keys + j, mask=j_inside, other=0).to(tl.int32)
    first = tl.min(tl.where(i_inside, query_part, FAR)) + tl.min(tl.where(j_inside, key_part, FAR))
    last = tl.max(tl.where(i_inside, query_part, -FAR)) + tl.max(tl.where(j_inside, key_part, -FAR))
    last = tl.minimum(last, num_offsets - 1)
    found = tl.load(key_at + key_part, mask=j_inside & is_row(key_part, num_offsets), other=-1)
    alike = tl.sum(tl.where(j_inside & (found != j), float("nan"), 0.0))
    for o_first in range(tl.maximum(first, 0), last + 1, N):
        o = o_first + tl.arange(0, N)
        part = o[None, :] - query_part[:, None]  # the key's, (M, N)
        known = i_inside[:, None] & (part >= 0) & (part < num_offsets)
        at = tl.load(key_at + part, mask=known, other=-1) - j_first
        known = (at >= 0) & (at < N)
        terms = tl.gather(tile, tl.where(known, at, 0), 1)
        total = tl.sum(tl.where(known, terms, 0.0), 0) + alike
        tl.store(own + o, tl.load(own + o, mask=o <= last, other=0.0) + total, mask=o <= last)
        tl.debug_barrier()  # another thread may add to the row of the next tile


@triton.jit
def add_prefix(
    own,  # pointer to the first of the three rows
    tile,
    i_first,
    j_first,
    q_len,
    k_len,
    prefix,
    M: tl.constexpr,
    N: tl.constexpr,
):
    """Add what prefix → token, token → prefix and prefix → prefix (query → key) read."""
    i, j = i_first + tl.arange(0, M)[:, None], j_first + tl.arange(0, N)[None, :]
    tile = tl.where((i < q_len) & (j < k_len), tile, 0.0)
    from_prefix, to_prefix = i < prefix, j < prefix
    total = tl.sum(tl.where(from_prefix & (j >= prefix), tile, 0.0))
    tl.store(own, tl.load(own) + total)
    total = tl.sum(tl.where((i >= prefix) & to_prefix, tile, 0.0))
    tl.store(own + 1, tl.load(own + 1) + total)
    total = tl.sum(tl.where(from_prefix & to_prefix, tile, 0.0))
    tl.store(own + 2, tl.load(own + 2) + total)
    tl.debug_barrier()


@triton.jit
def tiles_table_gradient(
    q, k, v, lse, table, index, queries, keys, mask, dout,
    delta,  # float32 (B, H, Lq): δ
    slices,  # float32 (S, H, R), zeros
    key_at,
    q_b, q_h, q_l, k_b, k_h, k_l, v_b, v_h, v_l, mask_w, mask_h, mask_i, mask_j, do_b, do_h, do_l,
    batch, heads, q_len, k_len, dim, v_dim, num_rows, num_offsets, prefix, num_masks, scale, causal,
    chunk,  # batch elements of a job
    jobs,  # tiles of pairs × chunks of the batch
    num_slices,  # S
    MODE: tl.constexpr, PREFIX: tl.constexpr, MASKED: tl.constexpr, CAUSAL: tl.constexpr,
    M: tl.constexpr, N: tl.constexpr, D: tl.constexpr, DV: tl.constexpr,
):  # fmt: skip
    """Pass 4. Program (s, h) does jobs s, s + S, …; a job is a tile of pairs for a part of the batch."""
    h = tl.program_id(1)
    own = slices + as_int64(tl.program_id(0) * heads + h) * num_rows
    q_tiles, k_tiles = tl.cdiv(q_len, M), tl.cdiv(k_len, N)
    for job in range(tl.program_id(0), jobs, num_slices):
        j_first = (job % k_tiles) * N
        i_first = (job // k_tiles) % q_tiles * M
        first = job // k_tiles // q_tiles * chunk
        end = tl.minimum(first + chunk, batch)
        if CAUSAL:  # a tile with nothing but hidden pairs
            below = (j_first > i_first + M - 1 + causal) & (i_first >= prefix) & (j_first >= prefix)
            end = tl.where(below, first, end)
        i, j = i_first + tl.arange(0, M), j_first + tl.arange(0, N)
        sum_ds = tl.zeros((M, N), tl.float32)
        for n in range(first, end):
            b = as_int64(n)
            qs = load_rows(q + b * q_b + h * q_h, i, q_len, q_l, dim, D)
            ks = load_rows(k + b * k_b + h * k_h, j, k_len, k_l, dim, D)
            vs = load_rows(v + b * v_b + h * v_h, j, k_len, v_l, v_dim, DV)
            do = load_rows(dout + b * do_b + h * do_h, i, q_len, do_l, v_dim, DV)
            largest, log_sum = load_lse(lse + (b * heads + h) * 2 * q_len, i, q_len)
            dots = tl.load(delta + (b * heads + h) * q_len + i, mask=i < q_len, other=0.0)
            window = window_mask(mask, n, h, num_masks, mask_w, mask_h)
            term = table_term(
                i[:, None], j[None, :], q_len, k_len, table + h * num_rows,
                index, queries, keys, num_rows, num_offsets, prefix, MODE, PREFIX,
            )  # fmt: skip
            term = add_mask(term, i[:, None], j[None, :], q_len, k_len, window, mask_i, mask_j, MASKED)
            s = product(qs, tl.trans(ks)) * scale + term  # (M, N)
            p = tl.exp(s - largest[:, None] - log_sum[:, None])
            sum_ds += p * (product(do, tl.trans(vs)) - dots[:, None])
        if first < end:
            add_tile(
                own, sum_ds, i_first, j_first, q_len, k_len, index, queries, keys, key_at,
                num_rows, num_offsets, prefix, MODE, PREFIX, M, N,
            )  # fmt: skip


@triton.jit
def sum_slices(
    slices,  # float32 (S, H, R)
    dtable,  # float32 (H, R), written
    num_slices,  # S
    heads,  # H
    num_rows,  # R
    S: tl.constexpr,  # slices of a tile
    R: tl.constexpr,  # rows of a tile
):
    """Pass 5. A program sums R rows of one head over the slices, S at a time, in order."""
    h = tl.program_id(1)
    r = tl.program_id(0) * R + tl.arange(0, R)
    total = tl.zeros((R,), tl.float32)
    for first in range(0, num_slices, S):
        s = first + tl.arange(0, S)
        at = (s[:, None].to(tl.int64) * heads + h) * num_rows + r[None, :]
        inside = (s < num_slices)[:, None] & (r < num_rows)[None, :]
        total += tl.sum(tl.load(slices + at, mask=inside, other=0.0), 0)
    tl.store(dtable + h * num_rows + r, total, mask=r < num_rows)
