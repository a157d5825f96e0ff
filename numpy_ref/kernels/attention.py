"""Attention fused over strips of the scores: no (B, H, Lq, Lk) array but a bias's own and its gradient.

Forward keeps the maximum and 1 / sum of each row of the scores; backward makes the probabilities again.
"""

from functools import lru_cache
from itertools import accumulate

import numpy as np

from ..gate import Cache, gradient, made_by, recall
from ..ops import attention as definition
from . import attention_loops as loops
from .attention_strips import NO_ROWS, NO_TERM
from .bias import bias_forward
from .heads import empty_qkv
from .machine import threads
from .machine.arrays import address_of, contiguous, in_order, place, with_contiguous_rows
from .machine.buffers import empty
from .machine.index import check_flat_index, checked_index
from .machine.product import padded, product_for

STRIP_BYTES = 1 << 17  # of each strip at work; five of them and the packed keys share the L2 cache
STRIP_ROWS = 28  # a strip may always have as many: with fewer, packing costs more than it saves
CHUNK_SIZE = 16  # elements of the batch that share a gathered bias strip, at most
CHUNK_BYTES = 1 << 20  # of what every strip of a chunk reads again, at most
PIECES = 16  # to cut the work into, where it can be: enough for as many threads


def attention_weights(q, k, table=None, index=None, bias=None, mask=None, scale=None):
    """P = softmax(scale · q kᵀ + table[index] + bias + mask); see `numpy_ref.ops`."""
    given = definition.checked_attention(q, k, k, table, index, bias, mask, scale)
    bias = _dense(given.table, given.index, given.bias)
    return definition.attention_weights(q, k, bias=bias, mask=mask, scale=scale)


def attention_forward(
    q,
    k,
    v,
    table=None,
    index=None,
    bias=None,
    mask=None,
    scale=None,
    dropout=None,
    value_embedding=None,
    value_index=None,
):
    """out = (P · dropout) v; see `numpy_ref.ops.attention_forward`.

    The definition computes what has a value embedding or an empty array.
    """
    given = (q, k, v, table, index, bias, mask, scale, dropout, value_embedding, value_index)
    given = definition.checked_attention(*given)
    q, k, v, table, index, bias, mask, scale, dropout, value_embedding, _ = given
    batch, heads, q_len, dim = q.shape
    k_len, v_dim = v.shape[2:]
    if value_embedding is not None or 0 in (batch, heads, q_len, dim, v_dim):
        return definition.attention_forward(*given)
    q, k, v = (with_contiguous_rows(x) for x in (q, k, v))
    by_head = np.zeros((heads, 0), q.dtype)
    flat = np.empty(0, np.uint64)
    if table is not None:
        (by_head,) = contiguous(table.T)
        flat = checked_index(index, len(table))
    terms = tuple(None if t is None else _expanded(t, k_len) for t in (bias, mask, dropout))
    out = empty((batch, q_len, heads, v_dim), q.dtype).transpose(0, 2, 1, 3)
    stats = empty((batch, heads, q_len, 2), q.dtype)
    saved = (q, k, v, by_head, flat, *terms, q.dtype.type(scale), stats)
    shape = _shape(q, v)
    plan, pieces = _plan(shape, _has_own_bias(bias), q.itemsize)
    scratch = _forward_scratch(shape, plan, q.dtype)
    arguments = _inputs(*saved), tuple(scratch), tuple(shape), tuple(plan), place(out)
    threads.run(loops.forward, pieces, *arguments, scratch=(scratch.end, q.dtype))
    bias_shape = None if bias is None else bias.shape
    return out, Cache(attention_forward, *saved, bias_shape, table is not None)


def attention_backward(dout, cache):
    """dq, dk, dv, dtable, dbias; see `numpy_ref.ops.attention_backward`."""
    if made_by(cache, definition.attention_forward):
        return definition.attention_backward(dout, cache)
    *saved, bias_shape, has_table = recall(cache, attention_forward)
    q, _, v, by_head, flat, bias, *_ = saved
    shape = _shape(q, v)
    dout = with_contiguous_rows(gradient("dout", dout, (*q.shape[:3], shape.v_dim), q.dtype))
    check_flat_index(flat, by_head.shape[1])  # may be the caller's array, changed since forward
    plan, pieces = _plan(shape, _has_own_bias(bias), q.itemsize)
    scratch = _backward_scratch(shape, plan, q.dtype)
    dq, dk, dv = _empty_gradients(shape, plan.groups, q.dtype)
    dtable = empty((pieces, by_head.shape[1]), np.float64)
    chunks = -(-shape.batch // plan.chunk_size)
    dbias = None if bias is None else empty((chunks, *_score_shape(shape)), q.dtype)
    dbias_place = NO_ROWS if dbias is None else place(dbias)
    places = place(dq), place(dk[0]), dk.strides[0], place(dv[0]), dv.strides[0]
    grads = (*places, dtable, dbias_place)
    cut = tuple(scratch), tuple(shape), tuple(plan)
    arguments = _inputs(*saved), *cut, place(dout), grads
    threads.run(loops.backward, pieces, *arguments, scratch=(scratch.end, q.dtype))
    dk, dv = (d[0] if plan.groups == 1 else d.sum(0) for d in (dk, dv))
    if has_table:
        by_piece = dtable.reshape(pieces // shape.heads, shape.heads, -1).sum(0)
        dtable = np.ascontiguousarray(by_piece.T.astype(q.dtype))
    if dbias is not None:
        four_axes = (1,) * (4 - len(bias_shape)) + bias_shape
        dbias = definition.sum_to_shape(dbias, four_axes).reshape(bias_shape)
    return definition.AttentionGrads(dq, dk, dv, dtable if has_table else None, dbias)


def _dense(table, index, bias):
    if table is None:
        return bias
    gathered = bias_forward(table, index)
    return gathered if bias is None else gathered + bias


def _row_length(columns, dtype):
    """The distance of a strip's rows: no multiple of 512 bytes, which would crowd a few cache sets."""
    length = padded(columns, dtype)
    return length + padded(1, dtype) if length * dtype.itemsize % 512 == 0 else length


def _has_own_bias(bias):
    """Whether each element of the batch has a bias of its own."""
    return bias is not None and bias.ndim == 4 and len(bias) > 1


def _shape(q, v):
    batch, heads, q_len, dim = q.shape
    k_len, v_dim = v.shape[2:]
    return loops.Shape(batch, heads, q_len, k_len, dim, v_dim, _row_length(k_len, q.dtype))


def _score_shape(shape):
    return shape.heads, shape.q_len, shape.k_len


def _inputs(q, k, v, by_head, flat, bias, mask, dropout, scale, stats):
    """The fields of loops.Inputs."""
    rows = (place(x) for x in (q, k, v))
    terms = (_term(t) for t in (bias, mask, dropout))
    return (product_for(q.dtype), by_head, flat, *rows, *terms, scale, stats)


@lru_cache
def _plan(shape, own_bias, itemsize):
    """(Plan, pieces); it follows from shapes alone.

    If each element of the batch has its own bias, each needs its own dbias: then a chunk is one element.
    """
    strips = -(-shape.q_len // max(STRIP_ROWS, STRIP_BYTES // (shape.k_len * itemsize)))
    # Read again by every strip: kᵀ and vᵀ, packed, and k as it is, for dq = dS k. With dim + v_dim alone
    # the chunks are larger, and backward takes up to 1.3 times as long (docs/performance/log.md).
    per_element = shape.k_len * (2 * shape.dim + shape.v_dim) * itemsize
    most = shape.batch * shape.heads * strips // PIECES
    chunk_size = 1 if own_bias else max(1, min(CHUNK_SIZE, most, CHUNK_BYTES // per_element))
    chunks = -(-shape.batch // chunk_size)
    groups = min(strips, -(-PIECES // (shape.heads * chunks)))
    return loops.Plan(chunk_size, strips, groups), shape.heads * chunks * groups


@lru_cache
def _forward_scratch(shape, plan, dtype):
    rows = -(-shape.q_len // plan.strips)
    v_columns = padded(shape.v_dim, dtype)
    packed_k = plan.chunk_size * shape.dim * padded(shape.k_len, dtype)
    strips = [rows * shape.stride] * 3  # gathered, terms, scores
    return loops.ForwardScratch(*_starts(packed_k, shape.k_len * v_columns, *strips, rows * v_columns))


@lru_cache
def _backward_scratch(shape, plan, dtype):
    rows = -(-shape.q_len // plan.strips)
    columns = padded(shape.k_len, dtype)
    packed = (plan.chunk_size * d * columns for d in (shape.dim, shape.v_dim))
    right = max(shape.q_len, shape.k_len) * padded(max(shape.dim, shape.v_dim), dtype)
    strips = [rows * shape.stride] * 5  # gathered, terms, sums, p, dp
    return loops.BackwardScratch(*_starts(*packed, right, *strips))


def _starts(*sizes):
    """Where each of the parts begins, and where the last one ends."""
    return accumulate(sizes, initial=0)


def _empty_gradients(shape, groups, dtype):
    """dq (B, H, Lq, d), dk and dv (groups, B, H, Lk, ·), laid out as `merge_qkv` wants them."""
    batch, heads, q_len, k_len, dim, v_dim, _ = shape
    if groups == 1 and q_len == k_len and dim == v_dim:
        dq, dk, dv = empty_qkv(batch, heads, q_len, dim, dtype)
        return dq, dk[None], dv[None]
    dq = empty((batch, q_len, heads, dim), dtype).transpose(0, 2, 1, 3)
    dk, dv = (
        empty((groups, batch, k_len, heads, d), dtype).transpose(0, 1, 3, 2, 4) for d in (dim, v_dim)
    )
    return dq, dk, dv


def _expanded(term, k_len):
    """Four axes, the last as long as there are keys and contiguous."""
    term = term.reshape((1,) * (4 - term.ndim) + term.shape)
    return in_order(np.broadcast_to(term, (*term.shape[:3], k_len)))[0]


def _term(term):
    """The fields of Term."""
    return NO_TERM if term is None else (address_of(term), *term.shape[:3], *term.strides[:3])
