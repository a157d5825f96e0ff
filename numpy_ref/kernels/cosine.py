"""Cosine attention's normalisation, a row at a time: the loops of `numpy_ref.ops.cosine`."""

import numpy as np

from ..gate import Cache, recall
from ..ops.cosine import EPS, MAX_LOG_SCALE, CosineGrads, checked_cosine, checked_pair
from ..ops.linear import rows_of
from .machine import threads
from .machine.arrays import contiguous
from .machine.buffers import empty
from .machine.jit import compiled, inner
from .machine.simd import address, fma, lanes, load_first, splat, store_first, total
from .machine.threads import share, taken

HEIGHT = 256  # rows of a piece


def cosine_forward(q, k, logit_scale):
    """q' = τ q/‖q‖,  k' = k/‖k‖; see `numpy_ref.ops.cosine_forward`."""
    q, k, logit_scale = checked_cosine(q, k, logit_scale)
    tau = np.exp(np.minimum(logit_scale, MAX_LOG_SCALE))
    q, k = contiguous(q, k)
    q_norm, k_norm = _norms(q), _norms(k)
    out = _divided(q, q_norm, tau.reshape(-1)), _divided(k, k_norm, np.ones(k.shape[1], k.dtype))
    return out, Cache(cosine_forward, q, q_norm, k, k_norm, tau, logit_scale)


def cosine_backward(dout, cache):
    """dq, dk, dlogit_scale; see `numpy_ref.ops.cosine_backward`."""
    q, q_norm, k, k_norm, tau, logit_scale = recall(cache, cosine_forward)
    dq_scaled, dk_hat = contiguous(*checked_pair(dout, q, k))
    dq, along = _through(dq_scaled, q, q_norm, tau.reshape(-1))
    dk, _ = _through(dk_hat, k, k_norm, np.ones(k.shape[1], k.dtype))
    dtau = along.sum((0, 2)).reshape(tau.shape).astype(tau.dtype)
    return CosineGrads(dq, dk, dtau * tau * (logit_scale <= MAX_LOG_SCALE))


def _norms(x):
    norms = np.empty(x.shape[:3], x.dtype)
    _over_rows(_norm_rows, x, norms.reshape(-1))
    return norms


def _divided(x, norms, factors):
    out = empty(x.shape, x.dtype)
    _over_rows(_divide_rows, x, norms.reshape(-1), factors, x.shape[2], rows_of(out))
    return out


def _through(dhat, x, norms, factors):
    """(dx, dhat · x̂ of each row)"""
    dx, along = empty(x.shape, x.dtype), np.empty(x.shape[:3])
    _over_rows(
        _backward_rows,
        x,
        norms.reshape(-1),
        factors,
        x.shape[2],
        rows_of(dhat),
        rows_of(dx),
        along.reshape(-1),
    )
    return dx, along


def _over_rows(loop, x, *arguments):
    rows = rows_of(x)
    threads.run(loop, -(-len(rows) // HEIGHT), rows, *arguments)


@inner
def _dot(like, a, b, width):
    """Σ_j a[j] b[j]; a and b: addresses."""
    added = splat(like, 0.0)
    for j in range(0, width, lanes(like)):
        offset, left = j * like.itemsize, width - j
        added = fma(load_first(like, a + offset, left), load_first(like, b + offset, left), added)
    return total(added)


@compiled
def _norm_rows(worker, words, helpers, *arguments):
    """norms (rows,) = √Σ_j x²; x: (rows, d)."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, x, norms = arguments
    rows, width = x.shape
    for piece in taken(progress, pieces):
        for i in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, rows)):
            row = address(x, (i, 0))
            norms[i] = _dot(x, row, row, width) ** 0.5


@compiled
def _divide_rows(worker, words, helpers, *arguments):
    """out = τ x / max(‖x‖, ε), τ of the row's head; a head has `length` rows one after the other."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, x, norms, factors, length, out = arguments
    rows, width = x.shape
    for piece in taken(progress, pieces):
        for i in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, rows)):
            factor = factors[i // length % len(factors)] / max(norms[i], EPS)
            for j in range(0, width, lanes(x)):
                left = width - j
                value = load_first(x, address(x, (i, j)), left)
                store_first(address(out, (i, j)), value * factor, left)


@compiled
def _backward_rows(worker, words, helpers, *arguments):
    """dx = τ (dx̂ − x̂ (x̂·dx̂)) / ‖x‖, the second term only where ‖x‖ > ε; along = dx̂·x̂."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, x, norms, factors, length, dhat, dx, along = arguments
    (rows, width), size = x.shape, x.itemsize
    for piece in taken(progress, pieces):
        for i in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, rows)):
            inverse = 1 / max(norms[i], EPS)
            x_i, dhat_i, dx_i = address(x, (i, 0)), address(dhat, (i, 0)), address(dx, (i, 0))
            # ‖x‖ may be infinite where x is not: x̂ is 0 then, but x·dx̂ / ‖x‖ may be ∞ · 0
            along[i] = _dot(x, x_i, dhat_i, width) * inverse if inverse else 0.0
            factor = factors[i // length % len(factors)] * inverse
            back = float(along[i]) * inverse if norms[i] > EPS else 0.0
            for j in range(0, width, lanes(x)):
                offset, left = j * size, width - j
                d = load_first(x, dhat_i + offset, left)
                value = load_first(x, x_i + offset, left)
                store_first(dx_i + offset, (d - value * back) * factor, left)
