"""Cosine attention's normalisation, a row at a time: the loops of `numpy_ref.ops.cosine`."""

import numpy as np

from ..gate import Cache, recall
from ..ops.cosine import EPS, MAX_LOG_SCALE, CosineGrads, checked_cosine, checked_pair
from .machine import threads
from .machine.arrays import place, with_contiguous_rows
from .machine.buffers import empty
from .machine.jit import compiled, inner
from .machine.simd import fma, lanes, load_first, splat, store_first, total
from .machine.threads import share, taken

HEIGHT = 256  # rows of a piece, about


def cosine_forward(q, k, logit_scale):
    """q' = τ q/‖q‖,  k' = k/‖k‖; see `numpy_ref.ops.cosine_forward`."""
    q, k, logit_scale = checked_cosine(q, k, logit_scale)
    tau = np.exp(np.minimum(logit_scale, MAX_LOG_SCALE))
    q, k = with_contiguous_rows(q), with_contiguous_rows(k)
    q_out, q_norm = _divided(q, tau.reshape(-1))
    k_out, k_norm = _divided(k, np.ones(k.shape[1], k.dtype))
    return (q_out, k_out), Cache(cosine_forward, q, q_norm, k, k_norm, tau, logit_scale)


def cosine_backward(dout, cache):
    """dq, dk, dlogit_scale; see `numpy_ref.ops.cosine_backward`."""
    q, q_norm, k, k_norm, tau, logit_scale = recall(cache, cosine_forward)
    dq_scaled, dk_hat = (with_contiguous_rows(d) for d in checked_pair(dout, q, k))
    dq, along = _through(dq_scaled, q, q_norm, tau.reshape(-1))
    dk, _ = _through(dk_hat, k, k_norm, np.ones(k.shape[1], k.dtype))
    dtau = along.sum((0, 2)).reshape(tau.shape).astype(tau.dtype)
    return CosineGrads(dq, dk, dtau * tau * (logit_scale <= MAX_LOG_SCALE))


def _divided(x, factors):
    """(τ x / ‖x‖, ‖x‖ of each row)"""
    out, norms = empty(x.shape, x.dtype), np.empty(x.shape[:3], x.dtype)
    _over_rows(_forward, x, norms, factors, place(x), out.ctypes.data)
    return out, norms


def _through(dhat, x, norms, factors):
    """(dx, dhat · x̂ of each row)"""
    dx, along = empty(x.shape, x.dtype), np.empty(x.shape[:3])
    along_rows = along.reshape(-1)
    _over_rows(_backward, x, norms, factors, place(x), place(dhat), dx.ctypes.data, along_rows)
    return dx, along


def _over_rows(loop, x, norms, factors, *arguments):
    batch, heads, length, width = x.shape
    height = max(1, HEIGHT // max(length, 1))
    shape = batch * heads, heads, length, width, height
    threads.run(loop, -(-shape[0] // height), norms.reshape(-1), factors, shape, *arguments)


@inner
def _start(place, b, h):
    """(address of the first row of a head, bytes to its next row)"""
    start, b_bytes, h_bytes, i_bytes = place
    return start + b * b_bytes + h * h_bytes, i_bytes


@inner
def _dot(like, a, factor, b, width):
    """Σ_j factor · a[j] b[j]; a and b: addresses."""
    added = splat(like, 0.0)
    for j in range(0, width, lanes(like)):
        offset, left = j * like.itemsize, width - j
        value = load_first(like, a + offset, left) * factor
        added = fma(value, load_first(like, b + offset, left), added)
    return total(added)


@compiled
def _forward(worker, words, helpers, *arguments):
    """norms (B·H·L,) = √Σ_j x²,  out = τ x / max(‖x‖, ε), τ of the head; `height` heads a piece.

    x: the place of an array (B, H, L, d); out: the address of a contiguous one.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, norms, factors, shape, x, out = arguments
    all_heads, heads, length, width, height = shape
    like, size = norms, norms.itemsize
    for piece in taken(progress, pieces):
        for n in range(piece * height, min(piece * height + height, all_heads)):
            h = n % heads
            x_i, x_bytes = _start(x, n // heads, h)
            for i in range(n * length, n * length + length):
                norms[i] = _dot(like, x_i, 1.0, x_i, width) ** 0.5
                factor = factors[h] / max(norms[i], EPS)
                for j in range(0, width, lanes(like)):
                    value = load_first(like, x_i + j * size, width - j)
                    store_first(out + (i * width + j) * size, value * factor, width - j)
                x_i += x_bytes


@compiled
def _backward(worker, words, helpers, *arguments):
    """dx = τ (dx̂ − x̂ (x̂·dx̂)) / ‖x‖, the second term only where ‖x‖ > ε; along = dx̂·x̂.

    x, dhat: the places of arrays (B, H, L, d); dx: the address of a contiguous one; else as in forward.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, norms, factors, shape, x, dhat, dx, along = arguments
    all_heads, heads, length, width, height = shape
    like, size = norms, norms.itemsize
    for piece in taken(progress, pieces):
        for n in range(piece * height, min(piece * height + height, all_heads)):
            h = n % heads
            (x_i, x_bytes), (d_i, d_bytes) = _start(x, n // heads, h), _start(dhat, n // heads, h)
            for i in range(n * length, n * length + length):
                inverse = 1 / max(norms[i], EPS)
                # x̂ first: it is 0 where only ‖x‖ is infinite, NaN where x is, and x·dx̂ may be infinite
                along[i] = _dot(like, x_i, inverse, d_i, width)
                factor = factors[h] * inverse
                back = float(along[i]) * inverse if norms[i] > EPS else 0.0
                for j in range(0, width, lanes(like)):
                    d = load_first(like, d_i + j * size, width - j)
                    value = load_first(like, x_i + j * size, width - j)
                    store_first(dx + (i * width + j) * size, (d - value * back) * factor, width - j)
                x_i, d_i = x_i + x_bytes, d_i + d_bytes
