"""Layer scale: a learned factor for each channel of a residual branch (CaiT, arXiv 2103.17239)."""

from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, last_axis, recall


class LayerScaleGrads(NamedTuple):
    dx: np.ndarray
    dgamma: np.ndarray
    dresidual: np.ndarray | None


def layer_scale_forward(x, gamma, residual=None):
    """out = gamma · x [+ residual].

    x (..., D), gamma (D,), residual of x's shape or None -> out (..., D), cache.
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


def layer_scale_backward(dout, cache):
    """dx = gamma · dout,  dgamma = Σ dout · x over all but the last axis, in float64,  dresidual = dout.

    dout (..., D) -> LayerScaleGrads; dresidual is None when there was none.
    """
    x, gamma, has_residual = recall(cache, layer_scale_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    dgamma = (dout * x).sum(tuple(range(x.ndim - 1)), dtype=np.float64)
    return LayerScaleGrads(gamma * dout, dgamma.astype(x.dtype), dout if has_residual else None)
