"""Modules of the twin, with the NumPy twin's names and defaults: PyTorch's own behind the gate."""

import math

import torch
from torch import nn
from torch.nn import ModuleList, Parameter, Sequential

from . import ops
from .checks import (
    as_dtype,
    as_number,
    as_sizes,
    check_bool,
    check_positive_int,
    check_probability,
)
from .gate import check_input, check_shape, floating
from .random import as_generator, dropout_multiplier, truncated_normal

__all__ = [
    "GELU",
    "DropPath",
    "Dropout",
    "LayerNorm",
    "LayerScale",
    "Linear",
    "Mlp",
    "ModuleList",
    "Parameter",
    "PatchEmbed",
    "ReLU",
    "Sequential",
    "SiLU",
]


class Linear(nn.Linear):
    """y = x Wᵀ + b; weight (out_features, in_features), bias (out_features,).

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
        super().__init__(in_features, out_features, bias, device="meta", dtype=dtype)
        shape = (out_features, in_features)
        self.weight = Parameter(truncated_normal(generator, shape, init_std, dtype))
        if bias:
            self.bias = Parameter(torch.zeros(out_features, dtype=dtype))

    def forward(self, x):
        check_input(x, self.weight)
        return super().forward(x)


class LayerNorm(nn.LayerNorm):
    """x̂ · weight + bias over the last axis; weight one, bias zero."""

    def __init__(self, dim, eps=1e-6, dtype=None):
        dim, eps = check_positive_int(dim=dim), as_number("eps", eps, "[0, inf)")
        super().__init__(dim, eps=eps, dtype=as_dtype(dtype))

    def forward(self, x):
        check_input(x, self.weight)
        return ops.layer_norm(x, self.weight, self.bias, self.eps)


class LayerScale(nn.Module):
    """[residual +] gamma · x, gamma (dim,) being init_values at first (CaiT, arXiv 2103.17239)."""

    def __init__(self, dim, init_values=1e-5, dtype=None):
        super().__init__()
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.gamma = Parameter(torch.full((dim,), as_number("init_values", init_values), dtype=dtype))

    def forward(self, x, residual=None):
        check_input(x, self.gamma)
        return ops.layer_scale(x, self.gamma, residual)


class GELU(nn.GELU):
    def forward(self, x):
        return super().forward(*floating(x=x))


class ReLU(nn.ReLU):
    def forward(self, x):
        return super().forward(*floating(x=x))


class SiLU(nn.SiLU):
    def forward(self, x):
        return super().forward(*floating(x=x))


class Dropout(nn.Module):
    """x · m with m = 0 or 1/(1−rate), one draw per element; the identity in evaluation."""

    def __init__(self, rate=0.0, generator=None):
        super().__init__()
        self.rate, self.generator = check_probability(rate=rate), as_generator(generator)

    def draw(self, shape, dtype, device):
        """The multiplier for a tensor of this shape, or None when nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        return dropout_multiplier(self.generator, self.mask_shape(shape), self.rate, dtype, device)

    def mask_shape(self, shape):
        return shape

    def forward(self, x):
        (x,) = floating(x=x)
        multiplier = self.draw(x.shape, x.dtype, x.device)
        return x if multiplier is None else ops.dropout(x, multiplier)

    def add(self, residual, branch, *inputs):
        """residual + drop(branch(*inputs)), or without a residual (None)."""
        out = branch(*inputs)
        if residual is None:
            return self(out)
        return ops.residual(residual, out, self.draw(out.shape, out.dtype, out.device))


class DropPath(Dropout):
    """Stochastic depth (arXiv 1603.09382): one draw per sample drops the whole branch."""

    def mask_shape(self, shape):
        return (shape[0],) + (1,) * (len(shape) - 1)


class Mlp(nn.Module):
    """[residual +] fc2(GELU(fc1(x))), with dropout after each; hidden_features defaults to in_features.

    One op, unless something is dropped between the layers.
    """

    def __init__(self, in_features, hidden_features=None, drop=0.0, dtype=None, generator=None):
        super().__init__()
        hidden = in_features if hidden_features is None else hidden_features
        in_features, hidden = check_positive_int(in_features=in_features, hidden_features=hidden)
        drop, generator = check_probability(drop=drop), as_generator(generator)
        self.fc1 = Linear(in_features, hidden, dtype=dtype, generator=generator)
        self.act = GELU()
        self.drop1 = Dropout(drop, generator)
        self.fc2 = Linear(hidden, in_features, dtype=dtype, generator=generator)
        self.drop2 = Dropout(drop, generator)

    def forward(self, x, residual=None):
        check_input(x, self.fc1.weight)
        if self.training and self.drop1.rate:
            return self.drop2.add(residual, self.fc2, self.drop1(self.act(self.fc1(x))))
        return self.drop2.add(residual, self._both_layers, x)

    def _both_layers(self, x):
        return ops.mlp(x, self.fc1.weight, self.fc1.bias, self.fc2.weight, self.fc2.bias)


class PatchEmbed(nn.Module):
    """Patches times a convolution-shaped weight; timm's `patch_embed.proj`.

    (B, C, H, W) -> (B, H/ph · W/pw, embed_dim).
    """

    def __init__(self, img_size, patch_size, in_chans, embed_dim, dtype=None, generator=None):
        super().__init__()
        self.img_size = as_sizes("img_size", img_size, 2)
        self.patch_size = as_sizes("patch_size", patch_size, 2)
        if any(i % p for i, p in zip(self.img_size, self.patch_size, strict=True)):
            raise ValueError(
                f"img_size {self.img_size} is not divisible by patch_size {self.patch_size}"
            )
        in_chans, embed_dim = check_positive_int(in_chans=in_chans, embed_dim=embed_dim)
        self.grid_size = tuple(i // p for i, p in zip(self.img_size, self.patch_size, strict=True))
        self.in_chans = in_chans
        area = math.prod(self.patch_size)
        self.proj = Linear(in_chans * area, embed_dim, dtype=dtype, generator=generator)
        weight = self.proj.weight.detach().reshape(embed_dim, in_chans, *self.patch_size)
        self.proj.weight = Parameter(weight)

    def forward(self, images):
        (images,) = floating(images=images)
        check_shape("images", images, (None, self.in_chans, *self.img_size))
        patches = ops.patches(images, self.patch_size)
        return ops.linear(patches, self.proj.weight.flatten(1), self.proj.bias)
