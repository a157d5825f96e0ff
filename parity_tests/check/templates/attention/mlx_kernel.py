"""Attention with relative position bias in MLX: rpb-check mykernel.py:attention"""

import mlx.core as mx


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return (out, what backward needs). Put your kernel here."""
    given = {"q": q, "k": k, "v": v} | ({} if table is None else {"table": table})
    return _forward(given, index, mask, scale), (given, index, mask, scale)


def attention_backward(dout, cache):
    """Return the gradients by name, here from mx.vjp. Put your backward kernel here."""
    given, *others = cache
    names = list(given)

    def forward(*arrays):
        return [_forward(dict(zip(names, arrays, strict=True)), *others)]

    _, grads = mx.vjp(forward, [given[name] for name in names], [dout])
    return {f"d{name}": grad for name, grad in zip(names, grads, strict=True)}


def _forward(given, index, mask, scale):
    q, k, v, table = given["q"], given["k"], given["v"], given.get("table")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * (q @ k.swapaxes(-1, -2))
    if table is not None:
        scores = scores + table[index].transpose(2, 0, 1)  # (Lq, Lk, H) -> (H, Lq, Lk)
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        scores = scores + (mask[mx.arange(len(q)) % len(mask)] if mask.ndim == 4 else mask)
    return mx.softmax(scores, axis=-1) @ v
