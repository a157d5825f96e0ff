"""Layer scale: a learned factor for each channel of a residual branch (CaiT, arXiv 2103.17239)."""

from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, last_axis, recall
from ..types import Array


class LayerScaleGrads(NamedTuple):
    """The gradients of `layer_scale_forward`'s arguments; None for a residual not given."""

    dx: Array
    dgamma: Array
    dresidual: Array | None


def layer_scale_forward(x: Array, gamma: Array, residual: Array | None = None) -> tuple[Array, Cache]:
    """Scale the channels: out = gamma · x [+ residual].

    x: (..., D).
    gamma: (D,).
    residual: of x's shape, or None.
    Returns out (..., D) and the cache for `layer_scale_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, gamma, residual = floating({"residual": residual}, x=x, gamma=gamma)
    check_shape("gamma", gamma, (last_axis("x", x),))
    if residual is not None:
        check_shape("residual", residual, x.shape)
    out = gamma * x
    if residual is not None:
        out += residual
    return out, Cache(layer_scale_forward, x, gamma, residual is not None)


def layer_scale_backward(dout: Array, cache: Cache) -> LayerScaleGrads:
    """Return the gradients: dx = gamma · dout,  dresidual = dout,
    dgamma = Σ dout · x over all axes but the last, in float64.

    dout: (..., D).
    cache: what `layer_scale_forward` returned.
    """
    x, gamma, has_residual = recall(cache, layer_scale_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    dgamma = (dout * x).sum(tuple(range(x.ndim - 1)), dtype=np.float64)
    return LayerScaleGrads(gamma * dout, dgamma.astype(x.dtype), dout if has_residual else None)
