"""NumPy kernels for the tests of `check`: a right one and wrong ones."""

import numpy as np


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """out, and what backward needs"""
    scale = q.dtype.type(q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scale * q @ k.swapaxes(-1, -2)
    if table is not None:
        scores += table[index].transpose(2, 0, 1)
    if mask is not None:
        of_batch = mask[np.arange(len(q)) % len(mask)] if mask.ndim == 4 else mask
        scores += of_batch.astype(q.dtype)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p @ v, (p, q, k, v, table, index, scale)


def attention_backward(dout, cache):
    p, q, k, v, table, index, scale = cache
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    grads = {"dq": scale * ds @ k, "dk": scale * ds.swapaxes(-1, -2) @ q}
    grads["dv"] = p.swapaxes(-1, -2) @ dout
    if table is not None:
        total = np.zeros(table.shape)
        np.add.at(total, index, ds.sum(0, dtype=np.float64).transpose(1, 2, 0))
        grads["dtable"] = total
    return grads


def forward_only(q, k, v):
    return np.asarray(attention(q, k, v)[0])


def unscaled_dk(q, k, v, table=None, index=None, mask=None, scale=None):
    return attention(q, k, v, table, index, mask, scale)


def unscaled_dk_backward(dout, cache):
    unscaled = attention_backward(dout, (*cache[:-1], dout.dtype.type(1)))
    return attention_backward(dout, cache) | {"dk": unscaled["dk"]}


def flushing(q, k, v, table=None, index=None, mask=None, scale=None):
    q, k, v = (np.where(np.abs(x) < np.finfo(x.dtype).tiny, x * 0, x) for x in (q, k, v))
    return attention(q, k, v, table, index, mask, scale)


flushing_backward = attention_backward


def wrong_for_fewer_queries(q, k, v, table=None, index=None, mask=None, scale=None):
    out, cache = attention(q, k, v, table, index, mask, scale)
    return out * (1.01 if q.shape[2] < k.shape[2] else 1), cache


wrong_for_fewer_queries_backward = attention_backward


def unscaled_dk_with_table(q, k, v, table=None, index=None, mask=None, scale=None):
    """dk lacks the scale where there is a table; the output is wrong where there is none."""
    out, cache = attention(q, k, v, table, index, mask, scale)
    return out * (1.01 if table is None else 1), cache


def unscaled_dk_with_table_backward(dout, cache):
    backward = unscaled_dk_backward if cache[4] is not None else attention_backward
    return backward(dout, cache)


def unscaled_dk_without_masks(q, k, v, table=None, index=None, mask=None, scale=None):
    if mask is not None:
        message = "no masks yet"
        raise NotImplementedError(message)
    return attention(q, k, v, table, index, mask, scale)


unscaled_dk_without_masks_backward = unscaled_dk_backward


def transposed_dtable(q, k, v, table=None, index=None, mask=None, scale=None):
    return attention(q, k, v, table, index, mask, scale)


def transposed_dtable_backward(dout, cache):
    grads = attention_backward(dout, cache)
    return grads | {"dtable": grads["dtable"].T} if "dtable" in grads else grads


def unknown_bug(q, k, v):
    return attention(q, k, v)[0] + np.arange(v.shape[-1], dtype=v.dtype)
