"""Attention fused over strips of the scores: no (B, H, Lq, Lk) array, forward or backward.

Forward keeps the maximum and 1 / sum of each row of the scores; backward makes the probabilities again.
"""

from functools import lru_cache
from itertools import accumulate

import numpy as np

from ..gate import Cache, gradient, made_by, recall
from ..ops import attention as definition
from . import attention_loops as loops
from .bias import bias_forward
from .heads import empty_qkv
from .machine import threads
from .machine.arrays import address_of, contiguous
from .machine.buffers import empty
from .machine.index import check_flat_index, checked_index
from .machine.product import padded, product_for

STRIP_BYTES = 1 << 17  # of each strip at work; five of them and the packed keys share the L2 cache
STRIP_ROWS = 28  # at least: below, packing costs more than it saves
CHUNK = 16  # windows that share a gathered bias strip
PACKED_BYTES = 1 << 20  # of the packed keys and values of a chunk
ITEMS = 16  # to cut the work into, where it can be: enough for as many threads


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
    """out = (P · dropout) v; see `numpy_ref.ops.attention_forward`."""
    given = (q, k, v, table, index, bias, mask, scale, dropout, value_embedding, value_index)
    given = definition.checked_attention(*given)
    q, k, v, table, index, bias, mask, scale, dropout, value_embedding, _ = given
    (batch, heads, q_len, dim), (k_len, v_dim) = q.shape, v.shape[2:]
    if value_embedding is not None or 0 in (batch, heads, q_len, dim, v_dim):
        return definition.attention_forward(*given)
    q, k, v = (_rows(x) for x in (q, k, v))
    by_head, flat = np.zeros((heads, 0), q.dtype), np.empty(0, np.uint64)
    if table is not None:
        (by_head,), flat = contiguous(table.T), checked_index(index, len(table))
    terms = tuple(None if t is None else _expanded(t, k_len) for t in (bias, mask, dropout))
    out = empty((batch, q_len, heads, v_dim), q.dtype).transpose(0, 2, 1, 3)
    stats = empty((batch, heads, q_len, 2), q.dtype)
    shape = (batch, heads, q_len, k_len, dim, v_dim, _row_length(k_len, q.dtype))
    scale = q.dtype.type(scale)
    plan, pieces = _plan(shape, _has_own_bias(bias), q.itemsize)
    places = _forward_places(shape, plan, q.dtype)
    threads.run(
        loops.forward,
        pieces,
        places,
        product_for(q.dtype),
        by_head,
        flat,
        *(_place(x) for x in (q, k, v)),
        *(_term(t) for t in terms),
        scale,
        shape,
        plan,
        _place(out),
        stats,
        scratch=(places[-1], q.dtype),
    )
    bias_shape, has_table = None if bias is None else bias.shape, table is not None
    kept = (q, k, v, by_head, flat, *terms, scale, stats)
    return out, Cache(attention_forward, *kept, bias_shape, has_table)


def attention_backward(dout, cache):
    """dq, dk, dv, dtable, dbias; see `numpy_ref.ops.attention_backward`."""
    if made_by(cache, definition.attention_forward):
        return definition.attention_backward(dout, cache)
    q, k, v, by_head, flat, *terms, scale, stats, bias_shape, has_table = recall(
        cache, attention_forward
    )
    (batch, heads, q_len, dim), (k_len, v_dim) = q.shape, v.shape[2:]
    dout = _rows(gradient("dout", dout, (batch, heads, q_len, v_dim), q.dtype))
    check_flat_index(flat, by_head.shape[1])  # it may be the caller's, changed since
    shape = (batch, heads, q_len, k_len, dim, v_dim, _row_length(k_len, q.dtype))
    plan, pieces = _plan(shape, _has_own_bias(terms[0]), q.itemsize)
    places = _backward_places(shape, plan, q.dtype)
    chunks, groups = -(-batch // plan[0]), plan[2]
    dq, dk, dv = _empty_gradients(shape, groups, q.dtype)
    dtable = empty((pieces, by_head.shape[1]), np.float64)
    dbias = None if bias_shape is None else empty((chunks, heads, q_len, k_len), q.dtype)
    threads.run(
        loops.backward,
        pieces,
        places,
        product_for(q.dtype),
        by_head,
        flat,
        *(_place(x) for x in (q, k, v)),
        *(_term(t) for t in terms),
        scale,
        shape,
        plan,
        stats,
        _place(dout),
        _place(dq),
        *((*_place(x)[:1], *x.strides[1:4], x.strides[0]) for x in (dk, dv)),
        dtable,
        (0, 0, 0, 0) if dbias is None else _place(dbias),
        scratch=(places[-1], q.dtype),
    )
    dk, dv = (x[0] if groups == 1 else x.sum(0) for x in (dk, dv))
    if has_table:
        by_item = dtable.reshape(pieces // heads, heads, -1).sum(0)
        dtable = np.ascontiguousarray(by_item.T.astype(q.dtype))
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
    """The distance of a strip's rows: no power of two, which would put all of them in one cache set."""
    length = padded(columns, dtype)
    return length + padded(1, dtype) if length * dtype.itemsize % 512 == 0 else length


def _has_own_bias(bias):
    """Whether each window has a bias of its own."""
    return bias is not None and bias.ndim == 4 and len(bias) > 1


@lru_cache
def _plan(shape, own_bias, itemsize):
    """((windows of a chunk, strips, groups of strips), items); it follows from shapes alone.

    A bias of its own for each window has a gradient for each: then a chunk is one window.
    """
    batch, heads, q_len, k_len, dim, v_dim, _ = shape
    strips = -(-q_len // max(STRIP_ROWS, STRIP_BYTES // (k_len * itemsize)))
    packed = k_len * (2 * dim + v_dim) * itemsize
    chunk = max(1, min(CHUNK, batch * heads * strips // ITEMS, PACKED_BYTES // packed))
    if own_bias:
        chunk = 1
    parts = heads * -(-batch // chunk)
    groups = min(strips, -(-ITEMS // parts))
    return (chunk, strips, groups), parts * groups


@lru_cache
def _forward_places(shape, plan, dtype):
    """Where the parts of a thread's scratch begin: turned, values, static, terms, scores, strip_out."""
    (_, _, q_len, k_len, dim, v_dim, length), (chunk, strips, _) = shape, plan
    rows, v_columns = -(-q_len // strips), padded(v_dim, dtype)
    strip = rows * length
    turned = chunk * dim * padded(k_len, dtype)
    return _places(turned, k_len * v_columns, *[strip] * 3, rows * v_columns)


@lru_cache
def _backward_places(shape, plan, dtype):
    """k_turned, v_turned, packed, static, terms, sums, p, dp"""
    (_, _, q_len, k_len, dim, v_dim, length), (chunk, strips, _) = shape, plan
    rows, columns = -(-q_len // strips), padded(k_len, dtype)
    strip = rows * length
    packed = max(q_len, k_len) * padded(max(dim, v_dim), dtype)
    return _places(chunk * dim * columns, chunk * v_dim * columns, packed, *[strip] * 5)


def _places(*sizes):
    return tuple(accumulate(sizes, initial=0))


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


def _rows(x):
    """x with its last axis contiguous, and aligned."""
    whole = x.strides[-1] == x.itemsize or x.shape[-1] == 1
    return x if whole and x.flags.aligned else np.array(x, order="C")


def _place(x):
    """(address, byte strides but the last)"""
    return (x.ctypes.data, *x.strides[:-1])


def _expanded(term, k_len):
    """Four axes, the last as long as there are keys and contiguous."""
    term = term.reshape((1,) * (4 - term.ndim) + term.shape)
    return contiguous(np.broadcast_to(term, (*term.shape[:3], k_len)))[0]


def _term(term):
    """(address, sizes and byte strides but the last), zeros where there is none."""
    return (0,) * 7 if term is None else (address_of(term), *term.shape[:3], *term.strides[:3])
