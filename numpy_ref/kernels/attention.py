"""Attention whose gather and scatter-add are jitted; the rest is the definition's."""

from ..ops import attention as definition
from .bias import bias_backward, bias_forward


def attention_weights(q, k, table=None, index=None, bias=None, mask=None, scale=None):
    """P = softmax(scale · q kᵀ + table[index] + bias + mask); see `numpy_ref.ops`."""
    definition.check_attention(q, k, table, index, bias, mask)
    return definition.attention_weights(q, k, bias=_dense(table, index, bias), mask=mask, scale=scale)


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
    definition.check_attention(q, k, table, index, bias, mask)
    dense = _dense(table, index, bias)
    out, cache = definition.attention_forward(
        q,
        k,
        v,
        bias=dense,
        mask=mask,
        scale=scale,
        dropout=dropout,
        value_embedding=value_embedding,
        value_index=value_index,
    )
    return out, (cache, index, None if table is None else len(table), bias)


def attention_backward(dout, cache):
    """dq, dk, dv, dtable, dbias; see `numpy_ref.ops.attention_backward`."""
    inner, index, num_rows, bias = cache
    grads = definition.attention_backward(dout, inner)
    if num_rows is None:
        return grads
    dense = definition.sum_to_shape(grads.dbias, grads.dbias.shape[-3:])
    dbias = None if bias is None else definition.sum_to_shape(grads.dbias, bias.shape)
    return grads._replace(dtable=bias_backward(dense, index, num_rows), dbias=dbias)


def _dense(table, index, bias):
    if table is None:
        return bias
    gathered = bias_forward(table, index)
    return gathered if bias is None else gathered + bias
