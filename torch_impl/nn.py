"""Modules with the NumPy twin's names and defaults: PyTorch's own behind the gate."""

# The input is x, as in the NumPy twin; PyTorch's classes call it `input`.
# pyright: reportIncompatibleMethodOverride=false

import math

import torch
from torch import Tensor, nn
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
from .dropout import Dropout, DropPath
from .gate import check_input, check_shape, floating
from .module import Module
from .random import as_generator, truncated_normal
from .types import DTypeLike, Generator, SizeLike

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


class Linear(nn.Linear):
    """Compute y = x Wᵀ + b.

    in_features, out_features: W is `weight` (out_features, in_features), b is `bias` (out_features,).
    bias: whether there is a b; it is zero at first.
    init_std: standard deviation of the weight's truncated normal, √(2 / (in + out)) unless given
        (Glorot, as in the original ViT).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        init_std: float | None = None,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
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

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.weight)
        return super().forward(x)


class LayerNorm(nn.LayerNorm):
    """Normalise over the last axis: x̂ · weight + bias, weight one and bias zero at first.

    dim: length of the last axis; eps: added to the variance.
    """

    def __init__(self, dim: int, eps: float = 1e-6, dtype: DTypeLike | None = None):
        dim, eps = check_positive_int(dim=dim), as_number("eps", eps, "[0, inf)")
        super().__init__(dim, eps=eps, dtype=as_dtype(dtype))

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.weight)
        return ops.layer_norm(x, self.weight, self.bias, self.eps)


class LayerScale(Module):
    """Scale the channels: [residual +] gamma · x (CaiT, arXiv 2103.17239).

    dim: number of channels; init_values: what gamma (dim,) is at first.
    """

    def __init__(self, dim: int, init_values: float = 1e-5, dtype: DTypeLike | None = None):
        super().__init__()
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.gamma = Parameter(torch.full((dim,), as_number("init_values", init_values), dtype=dtype))

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        check_input(x, self.gamma)
        return ops.layer_scale(x, self.gamma, residual)


class GELU(nn.GELU):
    """x · Φ(x), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(*floating(x=x))


class ReLU(nn.ReLU):
    """max(x, 0), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(*floating(x=x))


class SiLU(nn.SiLU):
    """x · σ(x), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(*floating(x=x))


class Mlp(Module):
    """Compute [residual +] fc2(GELU(fc1(x))), with dropout after each layer.

    This is one op, unless something is dropped between the layers.

    in_features: channels of the input and of the output.
    hidden_features: channels in between, in_features unless given.
    drop: dropout rate.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int | None = None,
        drop: float = 0.0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        hidden = in_features if hidden_features is None else hidden_features
        in_features, hidden = check_positive_int(in_features=in_features, hidden_features=hidden)
        drop, generator = check_probability(drop=drop), as_generator(generator)
        self.fc1 = Linear(in_features, hidden, dtype=dtype, generator=generator)
        self.act = GELU()
        self.drop1 = Dropout(drop, generator)
        self.fc2 = Linear(hidden, in_features, dtype=dtype, generator=generator)
        self.drop2 = Dropout(drop, generator)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        check_input(x, self.fc1.weight)
        if self.training and self.drop1.rate:
            return self.drop2.add(residual, self.fc2, self.drop1(self.act(self.fc1(x))))
        return self.drop2.add(residual, self._both_layers, x)

    def _both_layers(self, x: Tensor) -> Tensor:
        return ops.mlp(x, self.fc1.weight, self.fc1.bias, self.fc2.weight, self.fc2.bias)


class PatchEmbed(Module):
    """Embed patches: each one times a convolution-shaped weight, timm's `patch_embed.proj`.

    img_size, patch_size: an int or (height, width); the patch has to divide the image.
    in_chans: channels of the images; embed_dim: channels of the embedding.
    norm_eps: eps of a layer norm `norm` of the embedding; None for no norm.
    strict_img_size: whether images must have img_size; if not, any multiple of patch_size will do.
    Images (B, in_chans, H, W) become (B, H/ph · W/pw, embed_dim).
    """

    def __init__(
        self,
        img_size: SizeLike,
        patch_size: SizeLike,
        in_chans: int,
        embed_dim: int,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
        norm_eps: float | None = None,
        strict_img_size: bool = True,
    ):
        super().__init__()
        check_bool(strict_img_size=strict_img_size)
        if norm_eps is not None:
            norm_eps = as_number("norm_eps", norm_eps, "[0, inf)")
        self.img_size = as_sizes("img_size", img_size, 2)
        self.patch_size = as_sizes("patch_size", patch_size, 2)
        if any(i % p for i, p in zip(self.img_size, self.patch_size, strict=True)):
            raise ValueError(
                f"img_size {self.img_size} is not divisible by patch_size {self.patch_size}"
            )
        in_chans, embed_dim = check_positive_int(in_chans=in_chans, embed_dim=embed_dim)
        self.grid_size = tuple(i // p for i, p in zip(self.img_size, self.patch_size, strict=True))
        self.in_chans, self.strict_img_size = in_chans, strict_img_size
        area = math.prod(self.patch_size)
        self.proj = Linear(in_chans * area, embed_dim, dtype=dtype, generator=generator)
        weight = self.proj.weight.detach().reshape(embed_dim, in_chans, *self.patch_size)
        self.proj.weight = Parameter(weight)
        self.norm = None if norm_eps is None else LayerNorm(embed_dim, norm_eps, dtype)

    def forward(self, images: Tensor) -> Tensor:
        (images,) = floating(images=images)
        size = self.img_size if self.strict_img_size else (None, None)
        check_shape("images", images, (None, self.in_chans, *size))
        patches = ops.patches(images, self.patch_size)
        x = ops.linear(patches, self.proj.weight.flatten(1), self.proj.bias)
        return x if self.norm is None else self.norm(x)
