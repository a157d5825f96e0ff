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

HEIGHT = 256  # rows of a piece


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
    rows, (_, heads, length, width) = norms.reshape(-1), x.shape
    threads.run(loop, -(-rows.size // HEIGHT), rows, factors, (heads, length, width), *arguments)


@inner
def _row_of(places, n, heads, length):
    """(address of row n of an array (B, H, L, d), its head)"""
    start, b_bytes, h_bytes, i_bytes = places
    h = n // length % heads
    return start + n // (heads * length) * b_bytes + h * h_bytes + n % length * i_bytes, h


@inner
def _dot(like, a, b, width):
    """Σ_j a[j] b[j]; a and b: addresses."""
    added = splat(like, 0.0)
    for j in range(0, width, lanes(like)):
        offset, left = j * like.itemsize, width - j
        added = fma(load_first(like, a + offset, left), load_first(like, b + offset, left), added)
    return total(added)


@compiled
def _forward(worker, words, helpers, *arguments):
    """norms (rows,) = √Σ_j x²,  out = τ x / max(‖x‖, ε), τ of the row's head.

    x: the place of an array (B, H, L, d); out: the address of a contiguous one.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, norms, factors, shape, x, out = arguments
    (heads, length, width), like, size = shape, norms, norms.itemsize
    for piece in taken(progress, pieces):
        for n in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, norms.size)):
            row, h = _row_of(x, n, heads, length)
            norms[n] = _dot(like, row, row, width) ** 0.5
            factor = factors[h] / max(norms[n], EPS)
            for j in range(0, width, lanes(like)):
                value = load_first(like, row + j * size, width - j)
                store_first(out + (n * width + j) * size, value * factor, width - j)


@compiled
def _backward(worker, words, helpers, *arguments):
    """dx = τ (dx̂ − x̂ (x̂·dx̂)) / ‖x‖, the second term only where ‖x‖ > ε; along = dx̂·x̂.

    x, dhat: the places of arrays (B, H, L, d); dx: the address of a contiguous one.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, norms, factors, shape, x, dhat, dx, along = arguments
    (heads, length, width), like, size = shape, norms, norms.itemsize
    for piece in taken(progress, pieces):
        for n in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, norms.size)):
            inverse = 1 / max(norms[n], EPS)
            (x_n, h), (dhat_n, _) = _row_of(x, n, heads, length), _row_of(dhat, n, heads, length)
            # ‖x‖ may be infinite where x is not: x̂ is 0 then, but x·dx̂ / ‖x‖ may be ∞ · 0
            along[n] = _dot(like, x_n, dhat_n, width) * inverse if inverse else 0.0
            factor = factors[h] * inverse
            back = float(along[n]) * inverse if norms[n] > EPS else 0.0
            for j in range(0, width, lanes(like)):
                d = load_first(like, dhat_n + j * size, width - j)
                value = load_first(like, x_n + j * size, width - j)
                store_first(dx + (n * width + j) * size, (d - value * back) * factor, width - j)
