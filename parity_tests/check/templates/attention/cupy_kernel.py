"""Attention with relative position bias in CuPy: rpb-check mykernel.py:attention"""

import cupy as cp


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return (out, what backward needs). Put your forward kernel here."""
    scale = q.dtype.type(q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scale * (q @ k.swapaxes(-1, -2))
    if table is not None:
        scores += table[index].transpose(2, 0, 1)  # (Lq, Lk, H) -> (H, Lq, Lk)
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        scores += mask[cp.arange(len(q)) % len(mask)] if mask.ndim == 4 else mask
    p = cp.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p @ v, (p, q, k, v, table, index, scale)


def attention_backward(dout, cache):
    """Return the gradients by name. Put your backward kernel here."""
    p, q, k, v, table, index, scale = cache
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    grads = {
        "dq": scale * (ds @ k),
        "dk": scale * (ds.swapaxes(-1, -2) @ q),
        "dv": p.swapaxes(-1, -2) @ dout,
    }
    if table is not None:  # every pair of every sample adds to its row
        total = cp.zeros(table.shape, cp.promote_types(table.dtype, cp.float32))
        cp.add.at(total, index, ds.sum(0, dtype=total.dtype).transpose(1, 2, 0))
        grads["dtable"] = total.astype(table.dtype)
    return grads
