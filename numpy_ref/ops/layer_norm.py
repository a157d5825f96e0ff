"""Layer normalisation (arXiv 1607.06450)."""

from typing import NamedTuple

import numpy as np

from ..checks import as_number, check_shape
from ..gate import Cache, floating, gradient, last_axis, recall
from ..types import Array


class LayerNormGrads(NamedTuple):
    """The gradients of `layer_norm_forward`'s arguments."""

    dx: Array
    dweight: Array
    dbias: Array


def layer_norm_forward(x: Array, weight: Array, bias: Array, eps: float = 1e-6) -> tuple[Array, Cache]:
    """Normalise over the last axis: out = x̂ · weight + bias,  x̂ = (x − mean) / √(var + eps).

    x: (..., D).
    weight, bias: (D,).
    eps: at least 0. var is the biased variance.
    Returns out (..., D) and the cache for `layer_norm_backward`.
    Raises TypeError/ValueError naming what does not fit. D = 0 is an error.
    """
    x, weight, bias, eps = checked_layer_norm(x, weight, bias, eps)
    centred = x - x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps)
    x_hat = centred * rstd
    return x_hat * weight + bias, Cache(layer_norm_forward, x_hat, rstd, weight)


def layer_norm_backward(dout: Array, cache: Cache, dresidual: Array | None = None) -> LayerNormGrads:
    """Return the gradients. With g = dout · weight:
    dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)) + dresidual,  rstd = 1 / √(var + eps),
    dweight = Σ dout · x̂,  dbias = Σ dout, both over all axes but the last, in float64.

    dout: (..., D).
    cache: what `layer_norm_forward` returned.
    dresidual: (..., D), the gradient that reaches x past the norm in y = x + f(norm(x)); 0 unless given.
    """
    x_hat, rstd, weight = recall(cache, layer_norm_forward)
    dout = gradient("dout", dout, x_hat.shape, x_hat.dtype)
    if dresidual is not None:
        dresidual = gradient("dresidual", dresidual, x_hat.shape, x_hat.dtype)
    g = dout * weight
    along = (g * x_hat).mean(-1, keepdims=True)
    dx = rstd * (g - g.mean(-1, keepdims=True) - x_hat * along)
    if dresidual is not None:
        dx = dx + dresidual
    lead = tuple(range(x_hat.ndim - 1))
    dweight, dbias = ((dout * factor).sum(lead, dtype=np.float64) for factor in (x_hat, 1))
    return LayerNormGrads(dx, dweight.astype(dx.dtype), dbias.astype(dx.dtype))


def checked_layer_norm(
    x: Array, weight: Array, bias: Array, eps: float
) -> tuple[Array, Array, Array, float]:
    """Return plain arrays and a float; raises TypeError/ValueError naming what does not fit."""
    x, weight, bias = floating(x=x, weight=weight, bias=bias)
    width = last_axis("x", x)
    check_shape("weight", weight, (width,))
    check_shape("bias", bias, (width,))
    if not width:
        raise ValueError(f"x has shape {x.shape}: the mean of nothing is undefined")
    return x, weight, bias, as_number("eps", eps, "[0, inf)")
