"""What all passes share: tiles of rows, products, and what is added to a tile of scores.

A tile of pairs is given by its token numbers i of the queries and j of the keys, shaped so that they
broadcast: (M, 1) and (1, N), or (1, M) and (N, 1) for a transposed tile.
"""

import triton
import triton.language as tl

INTERPRETED: tl.constexpr = tl.constexpr(bool(triton.knobs.runtime.interpret))


@triton.jit
def as_int64(n):
    """Return n as an int64, for offsets into tensors of more than 2³¹ elements."""
    return tl.zeros((), tl.int64) + n  # the interpreter's loops count in Python's integers


@triton.jit
def load_rows(
    x,  # pointer to the first token of one batch element and head
    tokens,  # (M,) token numbers
    length,  # number of tokens; those beyond are read as zeros
    stride,  # elements from token to token
    channels,  # channels of a token
    C: tl.constexpr,  # the power of two that holds them
):
    """Return a tile of tokens (M, C), zeros where there is none."""
    c = tl.arange(0, C)
    inside = (tokens < length)[:, None] & (c < channels)[None, :]
    return tl.load(x + tokens[:, None] * stride + c[None, :], mask=inside, other=0.0)


@triton.jit
def store_rows(x, tile, tokens, length, stride, channels, C: tl.constexpr):
    """Write a tile of tokens (M, C), the counterpart of `load_rows`."""
    c = tl.arange(0, C)
    inside = (tokens < length)[:, None] & (c < channels)[None, :]
    tl.store(x + tokens[:, None] * stride + c[None, :], tile.to(x.dtype.element_ty), mask=inside)


@triton.jit
def load_lse(lse, i, q_len):
    """Return the two numbers of `store_lse`; the first is +∞ where there is no query: P is 0 there."""
    largest = tl.load(lse + i, mask=i < q_len, other=float("inf"))
    return largest, tl.load(lse + q_len + i, mask=i < q_len, other=0.0)


@triton.jit
def store_lse(lse, i, q_len, largest, total):
    """Store the largest score of the queries i, and log Σ_j exp(score − largest); lse: (2, Lq).

    They are stored apart. Their sum in float32 would have the rounding error of a large score, and
    P = exp(score − lse) would have it too.
    """
    tl.store(lse + i, largest, mask=i < q_len)
    tl.store(lse + q_len + i, tl.log(total), mask=i < q_len)


@triton.jit
def product(a, b):
    """Return a @ b (M, N), summed in float32; float32 operands are not rounded to TF32."""
    if INTERPRETED:  # the interpreter would multiply bfloat16's bit patterns
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, input_precision="ieee")


@triton.jit
def table_rows(
    i,  # token numbers of the queries
    j,  # token numbers of the keys
    q_len,  # number of queries Lq
    k_len,  # number of keys Lk
    index,  # INDEX: int32 (Lq, Lk)
    queries,  # OFFSETS: integers (Lq,), the query's part of the offset's number
    keys,  # OFFSETS: integers (Lk,), the key's part
    num_offsets,  # OFFSETS: number of offsets; the prefix tokens' three rows follow
    prefix,  # OFFSETS: number of prefix tokens
    MODE: tl.constexpr,  # "index" or "offsets"
    PREFIX: tl.constexpr,  # whether there are prefix tokens
):
    """Return the row of the table that each pair reads; pairs beyond the last token read the last one's.

    This takes fewer registers than a condition for each pair.
    """
    i, j = tl.minimum(i, q_len - 1), tl.minimum(j, k_len - 1)
    if MODE == "index":
        return tl.load(index + i * k_len + j)
    rows = tl.load(queries + i).to(tl.int32) + tl.load(keys + j).to(tl.int32)
    if PREFIX:
        rows = tl.where(j < prefix, num_offsets + 1, rows)  # token → prefix
        rows = tl.where(i < prefix, tl.where(j < prefix, num_offsets + 2, num_offsets), rows)
    return rows


@triton.jit
def is_row(rows, num_rows):
    """Return which rows are in [0, num_rows)."""
    return (rows >= 0) & (rows < num_rows)


@triton.jit
def table_term(
    i,
    j,
    q_len,
    k_len,
    table,  # pointer to this head's row of the table (H, R), float32
    index,
    queries,
    keys,
    num_rows,
    num_offsets,
    prefix,
    MODE: tl.constexpr,  # or "none"
    PREFIX: tl.constexpr,
):
    """Return what is added to the scores: table[rows], and −inf for keys beyond the last.

    A row that the table does not have is NaN: nothing outside the table is read.
    """
    term = tl.where(j < k_len, 0.0, float("-inf"))
    if MODE != "none":
        rows = table_rows(i, j, q_len, k_len, index, queries, keys, num_offsets, prefix, MODE, PREFIX)
        term += tl.load(table + rows, mask=is_row(rows, num_rows), other=float("nan"))
    return term


@triton.jit
def window_mask(mask, n, h, num_masks, mask_w, mask_h):
    """Return the pointer to the mask of batch element n and head h; nW masks repeat along the batch.

    A bias (H, Lq, Lk) of 32k tokens has 2³⁰ elements per head: they are counted in 64 bits.
    """
    return mask + as_int64(h) * mask_h + as_int64(n % num_masks) * mask_w  # h last spills


@triton.jit
def add_mask(
    term,
    i,
    j,
    q_len,
    k_len,
    mask,  # pointer to this window's and head's mask
    mask_i,  # elements from query to query, 0 where the mask is broadcast
    mask_j,  # elements from key to key
    MASKED: tl.constexpr,  # whether there is a mask
):
    """Return term + mask."""
    if MASKED:
        i, j = tl.minimum(i, q_len - 1), tl.minimum(j, k_len - 1)
        term += tl.load(mask + i * mask_i + j * mask_j).to(tl.float32)
    return term


@triton.jit
def visible_keys(i_first, i_last, k_len, prefix, causal, CAUSAL: tl.constexpr):
    """Return how many keys, counted from the first, the queries i_first … i_last may see."""
    if not CAUSAL:
        return k_len
    seen = tl.minimum(k_len, tl.maximum(prefix, i_last + causal + 1))
    return tl.where(i_first < prefix, k_len, seen)  # the rows of prefix tokens may hide nothing
