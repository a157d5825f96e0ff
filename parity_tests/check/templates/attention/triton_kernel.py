"""Attention with relative position bias in Triton: rpb-check mykernel.py:attention

Without a GPU: TRITON_INTERPRET=1 rpb-check mykernel.py:attention --quick
"""

import os

import torch
import triton
import triton.language as tl

# queries or keys of a tile; the interpreter takes as long for a small one
ROWS = 64 if os.environ.get("TRITON_INTERPRET") == "1" else 16
# float32's smallest, not -inf: exp(-inf - -inf) is NaN where a whole tile is masked
NO_SCORE = tl.constexpr(torch.finfo(torch.float32).min)


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return out; autograd calls the backward kernels."""
    if q.dtype == torch.float64:
        raise TypeError("this kernel takes float32, float16 and bfloat16, it sums in float32")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        mask = mask.repeat(len(q) // len(mask), 1, 1, 1) if mask.dim() == 4 else mask
        mask = mask.expand(*q.shape[:3], k.shape[2]).contiguous()
    q, k, v, table, index = (x if x is None else x.contiguous() for x in (q, k, v, table, index))
    return Attention.apply(q, k, v, table, index, mask, scale)


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, table, index, mask, scale):
        out = q.new_empty(*q.shape[:3], v.shape[3])
        lse = q.new_empty(2, *q.shape[:3], dtype=torch.float32)
        grid, sizes = _grid_and_sizes(q, k, v, q.shape[2])
        forward_kernel[grid](q, k, v, table, index, mask, out, lse[0], lse[1], scale, *sizes)
        ctx.save_for_backward(q, k, v, table, index, mask, out, lse)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx, dout):
        q, k, v, table, index, mask, out, lse = ctx.saved_tensors
        dout, wide = dout.contiguous(), torch.float32
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        dtable = None if table is None else torch.zeros_like(table, dtype=wide)
        delta = (dout.to(wide) * out).sum(-1)  # Σ_j p dp of each query
        given = (q, k, v, table, index, mask, dout, lse[0], lse[1], delta)
        grid, sizes = _grid_and_sizes(q, k, v, q.shape[2])
        backward_queries[grid](*given, dq, dtable, ctx.scale, *sizes)
        grid, sizes = _grid_and_sizes(q, k, v, k.shape[2])
        backward_keys[grid](*given, dk, dv, ctx.scale, *sizes)
        return dq, dk, dv, None if table is None else dtable.to(table.dtype), None, None, None


def _grid_and_sizes(q, k, v, length):
    """Return a program for each head and tile of `length` tokens, and the kernels' sizes."""
    batch, heads, q_len, dim = q.shape
    widths = (max(16, triton.next_power_of_2(d)) for d in (dim, v.shape[3]))
    sizes = (heads, q_len, k.shape[2], dim, v.shape[3], ROWS, *widths)
    return (batch * heads, triton.cdiv(length, ROWS)), sizes  # the second is at most 65,535


@triton.jit
def tile(x, rows, length, width, WIDTH: tl.constexpr):
    """Return rows of x (length, width) in float32, 0 outside."""
    columns = tl.arange(0, WIDTH)
    inside = (rows < length)[:, None] & (columns < width)[None, :]
    values = tl.load(x + rows[:, None] * width + columns[None, :], mask=inside, other=0.0)
    return values.to(tl.float32)


@triton.jit
def store(x, values, rows, length, width, WIDTH: tl.constexpr):
    columns = tl.arange(0, WIDTH)
    inside = (rows < length)[:, None] & (columns < width)[None, :]
    values = values.to(x.dtype.element_ty)
    tl.store(x + rows[:, None] * width + columns[None, :], values, mask=inside)


@triton.jit
def product(a, b):
    return tl.dot(a, b, input_precision="ieee")  # by default float32 is rounded to TF32


@triton.jit
def scores(q, k, i, j, table, index, mask, scale, n, heads, q_len, k_len):
    """Return scale · q kᵀ + table[index] + mask of the queries i and keys j."""
    inside = (i < q_len)[:, None] & (j < k_len)[None, :]
    pair = i[:, None] * k_len + j[None, :]
    s = scale * product(q, tl.trans(k))
    if table is not None:
        row = tl.load(index + pair, mask=inside, other=0)
        s += tl.load(table + row * heads + n % heads, mask=inside, other=0.0).to(tl.float32)
    if mask is not None:
        s += tl.load(mask + n * q_len * k_len + pair, mask=inside, other=0.0).to(tl.float32)
    return tl.where((j < k_len)[None, :], s, float("-inf"))


@triton.jit
def forward_kernel(
    q, k, v, table, index, mask, out, top, log_sum, scale, heads, q_len, k_len, dim, v_dim,
    ROWS: tl.constexpr, DIM: tl.constexpr, V_DIM: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)  # number of sample and head; n * q_len * dim may pass 2³¹
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    qi = tile(q + n * q_len * dim, i, q_len, dim, DIM)
    m = tl.full((ROWS,), NO_SCORE, tl.float32)  # the largest score so far
    total = tl.zeros((ROWS,), tl.float32)  # Σ exp(s - m)
    sums = tl.zeros((ROWS, V_DIM), tl.float32)  # Σ exp(s - m) v
    for start in range(0, k_len, ROWS):
        j = start + tl.arange(0, ROWS)
        kj = tile(k + n * k_len * dim, j, k_len, dim, DIM)
        s = scores(qi, kj, i, j, table, index, mask, scale, n, heads, q_len, k_len)
        new = tl.maximum(m, tl.max(s, 1))
        p, factor = tl.exp(s - new[:, None]), tl.exp(m - new)
        total = total * factor + tl.sum(p, 1)
        vj = tile(v + n * k_len * v_dim, j, k_len, v_dim, V_DIM)
        sums = sums * factor[:, None] + product(p, vj)
        m = new
    store(out + n * q_len * v_dim, sums / total[:, None], i, q_len, v_dim, V_DIM)
    tl.store(top + n * q_len + i, m, mask=i < q_len)
    tl.store(log_sum + n * q_len + i, tl.log(total), mask=i < q_len)


@triton.jit
def weights(qi, kj, i, j, table, index, mask, top, log_sum, scale, n, heads, q_len, k_len):
    """Return the weights p of the queries i and keys j, computed again."""
    s = scores(qi, kj, i, j, table, index, mask, scale, n, heads, q_len, k_len)
    m = tl.load(top + n * q_len + i, mask=i < q_len, other=0.0)
    rest = tl.load(log_sum + n * q_len + i, mask=i < q_len, other=0.0)
    return tl.exp(s - m[:, None] - rest[:, None])


@triton.jit
def backward_queries(
    q, k, v, table, index, mask, dout, top, log_sum, delta, dq, dtable, scale,
    heads, q_len, k_len, dim, v_dim, ROWS: tl.constexpr, DIM: tl.constexpr, V_DIM: tl.constexpr,
):  # fmt: skip
    """Store dq of a tile of queries, and add its scores' gradient to the rows of dtable."""
    n = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    qi = tile(q + n * q_len * dim, i, q_len, dim, DIM)
    douti = tile(dout + n * q_len * v_dim, i, q_len, v_dim, V_DIM)
    deltai = tl.load(delta + n * q_len + i, mask=i < q_len, other=0.0)
    sums = tl.zeros((ROWS, DIM), tl.float32)
    for start in range(0, k_len, ROWS):
        j = start + tl.arange(0, ROWS)
        kj = tile(k + n * k_len * dim, j, k_len, dim, DIM)
        vj = tile(v + n * k_len * v_dim, j, k_len, v_dim, V_DIM)
        p = weights(qi, kj, i, j, table, index, mask, top, log_sum, scale, n, heads, q_len, k_len)
        ds = p * (product(douti, tl.trans(vj)) - deltai[:, None])
        sums += product(ds, kj)
        if table is not None:  # in any order: the last bits may differ from run to run
            inside = (i < q_len)[:, None] & (j < k_len)[None, :]
            row = tl.load(index + i[:, None] * k_len + j[None, :], mask=inside, other=0)
            tl.atomic_add(dtable + row * heads + n % heads, ds, mask=inside)
    store(dq + n * q_len * dim, scale * sums, i, q_len, dim, DIM)


@triton.jit
def backward_keys(
    q, k, v, table, index, mask, dout, top, log_sum, delta, dk, dv, scale,
    heads, q_len, k_len, dim, v_dim, ROWS: tl.constexpr, DIM: tl.constexpr, V_DIM: tl.constexpr,
):  # fmt: skip
    """Store dk and dv of a tile of keys."""
    n = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    kj = tile(k + n * k_len * dim, j, k_len, dim, DIM)
    vj = tile(v + n * k_len * v_dim, j, k_len, v_dim, V_DIM)
    k_sums, v_sums = tl.zeros((ROWS, DIM), tl.float32), tl.zeros((ROWS, V_DIM), tl.float32)
    for start in range(0, q_len, ROWS):
        i = start + tl.arange(0, ROWS)
        qi = tile(q + n * q_len * dim, i, q_len, dim, DIM)
        douti = tile(dout + n * q_len * v_dim, i, q_len, v_dim, V_DIM)
        deltai = tl.load(delta + n * q_len + i, mask=i < q_len, other=0.0)
        p = weights(qi, kj, i, j, table, index, mask, top, log_sum, scale, n, heads, q_len, k_len)
        ds = p * (product(douti, tl.trans(vj)) - deltai[:, None])
        k_sums += product(tl.trans(ds), qi)
        v_sums += product(tl.trans(p), douti)
    store(dk + n * k_len * dim, scale * k_sums, j, k_len, dim, DIM)
    store(dv + n * k_len * v_dim, v_sums, j, k_len, v_dim, V_DIM)
