"""The layers that models are made of, names and defaults as PyTorch's; the maths is in ops."""

import math

import numpy as np

from .checks import (
    as_dtype,
    as_number,
    as_sizes,
    check_bool,
    check_positive_int,
    check_probability,
    check_shape,
)
from .dispatch import F
from .gate import check_input, floating
from .module import Module, ModuleList, Parameter, Sequential
from .random import as_generator, dropout_multiplier, truncated_normal

__all__ = [
    "GELU",
    "DropPath",
    "Dropout",
    "LayerNorm",
    "LayerScale",
    "Linear",
    "Mlp",
    "Module",
    "ModuleList",
    "Parameter",
    "PatchEmbed",
    "ReLU",
    "Sequential",
    "SiLU",
]


class Linear(Module):
    """y = [residual +] x Wᵀ + b; weight (out_features, in_features), bias (out_features,).

    Weight: truncated normal of std √(2 / (in + out)) unless init_std is given (Glorot, as the original
    ViT); bias zero.
    """

    def __init__(self, in_features, out_features, bias=True, init_std=None, dtype=None, generator=None):
        in_features, out_features = check_positive_int(
            in_features=in_features, out_features=out_features
        )
        check_bool(bias=bias)
        dtype, generator = as_dtype(dtype), as_generator(generator)
        init_std = math.sqrt(2 / (in_features + out_features)) if init_std is None else init_std
        init_std = as_number("init_std", init_std, "[0, inf)")
        self.weight = Parameter(
            truncated_normal(generator, (out_features, in_features), init_std, dtype)
        )
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x, residual=None):
        check_input(x, self.weight.data)
        bias = None if self.bias is None else self.bias.data
        out, self._cache = F.linear_forward(x, self.weight.data, bias, residual)
        return out

    def backward(self, dout):
        """dx; the residual's gradient is dout."""
        grads = F.linear_backward(dout, self.spend())
        self.weight.accumulate(grads.dweight)
        if self.bias is not None:
            self.bias.accumulate(grads.dbias)
        return grads.dx


class LayerNorm(Module):
    """x̂ · weight + bias over the last axis; weight one, bias zero."""

    def __init__(self, dim, eps=1e-6, dtype=None):
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.eps = as_number("eps", eps, "[0, inf)")
        self.weight = Parameter(np.ones(dim, dtype))
        self.bias = Parameter(np.zeros(dim, dtype))

    def forward(self, x):
        check_input(x, self.weight.data)
        out, self._cache = F.layer_norm_forward(x, self.weight.data, self.bias.data, self.eps)
        return out

    def backward(self, dout, dresidual=None):
        """dresidual: what comes to the input past the norm; see `layer_norm_backward`."""
        grads = F.layer_norm_backward(dout, self.spend(), dresidual)
        self.weight.accumulate(grads.dweight)
        self.bias.accumulate(grads.dbias)
        return grads.dx


class LayerScale(Module):
    """[residual +] gamma · x, gamma (dim,) being init_values at first (CaiT, arXiv 2103.17239)."""

    def __init__(self, dim, init_values=1e-5, dtype=None):
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.gamma = Parameter(np.full(dim, as_number("init_values", init_values), dtype))

    def forward(self, x, residual=None):
        check_input(x, self.gamma.data)
        out, self._cache = F.layer_scale_forward(x, self.gamma.data, residual)
        return out

    def backward(self, dout):
        """dx; the residual's gradient is dout."""
        grads = F.layer_scale_backward(dout, self.spend())
        self.gamma.accumulate(grads.dgamma)
        return grads.dx


class GELU(Module):
    def forward(self, x):
        out, self._cache = F.gelu_forward(x)
        return out

    def backward(self, dout):
        return F.gelu_backward(dout, self.spend())


class ReLU(Module):
    def forward(self, x):
        out, self._cache = F.relu_forward(x)
        return out

    def backward(self, dout):
        return F.relu_backward(dout, self.spend())


class SiLU(Module):
    def forward(self, x):
        out, self._cache = F.silu_forward(x)
        return out

    def backward(self, dout):
        return F.silu_backward(dout, self.spend())


_NOTHING_DROPPED = object()


class Dropout(Module):
    """x · m with m = 0 or 1/(1−rate), one draw per element; the identity in evaluation."""

    def __init__(self, rate=0.0, generator=None):
        self.rate, self.generator = check_probability(rate=rate), as_generator(generator)

    @property
    def drops(self):
        return self.training and self.rate > 0

    def draw(self, shape, dtype):
        """The multiplier for an array of this shape, or None when nothing is dropped."""
        if not self.drops:
            return None
        return dropout_multiplier(self.generator, self.mask_shape(shape), self.rate, dtype)

    def mask_shape(self, shape):
        return shape

    def forward(self, x):
        (x,) = floating(x=x)
        self._cache, multiplier = _NOTHING_DROPPED, self.draw(x.shape, x.dtype)
        if multiplier is None:
            return x
        out, self._cache = F.dropout_forward(x, multiplier)
        self._added = False
        return out

    def add(self, residual, branch, *inputs):
        """residual + drop(branch(*inputs)), or without a residual (None); `backward` gives dbranch.

        A branch from which nothing is dropped adds the residual itself, in the pass that writes it.
        """
        if residual is None:
            return self(branch(*inputs))
        if not self.drops:
            self._cache = _NOTHING_DROPPED
            return branch(*inputs, residual=residual)
        out = branch(*inputs)
        out, self._cache = F.residual_forward(residual, out, self.draw(out.shape, out.dtype))
        self._added = True
        return out

    def backward(self, dout):
        cache = self.spend()
        if cache is _NOTHING_DROPPED:
            return dout
        if self._added:
            return F.residual_backward(dout, cache).dbranch
        return F.dropout_backward(dout, cache)


class DropPath(Dropout):
    """Stochastic depth (arXiv 1603.09382): one draw per sample drops the whole branch."""

    def mask_shape(self, shape):
        return (shape[0],) + (1,) * (len(shape) - 1)


class Mlp(Module):
    """[residual +] fc2(GELU(fc1(x))), with dropout after each; hidden_features defaults to in_features.

    One op, unless something is dropped between the layers.
    """

    def __init__(self, in_features, hidden_features=None, drop=0.0, dtype=None, generator=None):
        hidden = in_features if hidden_features is None else hidden_features
        in_features, hidden = check_positive_int(in_features=in_features, hidden_features=hidden)
        drop, generator = check_probability(drop=drop), as_generator(generator)
        self.fc1 = Linear(in_features, hidden, dtype=dtype, generator=generator)
        self.act = GELU()
        self.drop1 = Dropout(drop, generator)
        self.fc2 = Linear(hidden, in_features, dtype=dtype, generator=generator)
        self.drop2 = Dropout(drop, generator)

    def forward(self, x, residual=None):
        check_input(x, self.fc1.weight.data)
        self._fused = not self.drop1.drops
        if self._fused:
            return self.drop2.add(residual, self._both_layers, x)
        return self.drop2.add(residual, self.fc2, self.drop1(self.act(self.fc1(x))))

    def _both_layers(self, x, residual=None):
        parameters = (p.data for fc in (self.fc1, self.fc2) for p in (fc.weight, fc.bias))
        out, self._cache = F.mlp_forward(x, *parameters, residual)
        return out

    def backward(self, dout):
        """dx; the residual's gradient is dout."""
        dout = self.drop2.backward(dout)
        if not self._fused:
            return self.fc1.backward(self.act.backward(self.drop1.backward(self.fc2.backward(dout))))
        grads = F.mlp_backward(dout, self.spend())
        for fc, dweight, dbias in ((self.fc1, *grads[1:3]), (self.fc2, *grads[3:5])):
            fc.weight.accumulate(dweight)
            fc.bias.accumulate(dbias)
        return grads.dx


class PatchEmbed(Module):
    """Patches times a convolution-shaped weight; timm's `patch_embed.proj`.

    (B, C, H, W) -> (B, H/ph · W/pw, embed_dim).
    """

    def __init__(self, img_size, patch_size, in_chans, embed_dim, dtype=None, generator=None):
        self.img_size = as_sizes("img_size", img_size, 2)
        self.patch_size = as_sizes("patch_size", patch_size, 2)
        if any(i % p for i, p in zip(self.img_size, self.patch_size, strict=True)):
            raise ValueError(
                f"img_size {self.img_size} is not divisible by patch_size {self.patch_size}"
            )
        in_chans, embed_dim = check_positive_int(in_chans=in_chans, embed_dim=embed_dim)
        self.grid_size = tuple(i // p for i, p in zip(self.img_size, self.patch_size, strict=True))
        self.in_chans = in_chans
        self.proj = Linear(
            in_chans * int(np.prod(self.patch_size)), embed_dim, dtype=dtype, generator=generator
        )
        self.proj.weight = Parameter(
            self.proj.weight.data.reshape(embed_dim, in_chans, *self.patch_size)
        )

    def forward(self, images):
        (images,) = floating(images=images)
        check_shape("images", images, (None, self.in_chans, *self.img_size))
        patches, self._patches = F.patches_forward(images, self.patch_size)
        weight = self.proj.weight.data.reshape(len(self.proj.weight.data), -1)
        out, self._linear = F.linear_forward(patches, weight, self.proj.bias.data)
        return out

    def backward(self, dout):
        grads = F.linear_backward(dout, self.spend("_linear"))
        self.proj.weight.accumulate(grads.dweight.reshape(self.proj.weight.shape))
        self.proj.bias.accumulate(grads.dbias)
        return F.patches_backward(grads.dx, self.spend("_patches"))
