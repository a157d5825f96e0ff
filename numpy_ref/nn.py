"""The layers that models are made of, with PyTorch's names and defaults; the maths is in ops."""

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
from .dropout import Dropout, DropPath
from .gate import check_input, floating
from .module import Module, ModuleList, Parameter, Sequential
from .random import as_generator, truncated_normal
from .types import Array, DTypeLike, Generator, SizeLike

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
    """Compute y = [residual +] x Wᵀ + b.

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
        self.weight = Parameter(
            truncated_normal(generator, (out_features, in_features), init_std, dtype)
        )
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Array, residual: Array | None = None) -> Array:
        check_input(x, self.weight.data)
        bias = None if self.bias is None else self.bias.data
        out, self._cache = F.linear_forward(x, self.weight.data, bias, residual)
        return out

    def backward(self, dout: Array) -> Array:
        """Return dx; the residual's gradient is dout."""
        grads = F.linear_backward(dout, self.spend())
        self.accumulate(grads.dweight, grads.dbias)
        return grads.dx

    def accumulate(self, dweight: Array, dbias: Array | None) -> None:
        """Add dweight, in the weight's shape, and dbias to the parameters' `grad`."""
        self.weight.accumulate(dweight.reshape(self.weight.shape))
        if self.bias is not None and dbias is not None:
            self.bias.accumulate(dbias)


class LayerNorm(Module):
    """Normalise over the last axis: [residual +] x̂ · weight + bias, weight one and bias zero at first.

    dim: length of the last axis; eps: added to the variance.
    """

    def __init__(self, dim: int, eps: float = 1e-6, dtype: DTypeLike | None = None):
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.eps = as_number("eps", eps, "[0, inf)")
        self.weight = Parameter(np.ones(dim, dtype))
        self.bias = Parameter(np.zeros(dim, dtype))

    def forward(self, x: Array, residual: Array | None = None) -> Array:
        check_input(x, self.weight.data)
        out, self._cache = F.layer_norm_forward(x, self.weight.data, self.bias.data, self.eps)
        return out if residual is None else F.residual_forward(residual, out)[0]

    def backward(self, dout: Array, dresidual: Array | None = None) -> Array:
        """Return dx; dresidual: the gradient that reaches x past the norm (`layer_norm_backward`).

        The gradient of forward's residual is dout.
        """
        grads = F.layer_norm_backward(dout, self.spend(), dresidual)
        self.weight.accumulate(grads.dweight)
        self.bias.accumulate(grads.dbias)
        return grads.dx


class LayerScale(Module):
    """Scale the channels: [residual +] gamma · x (CaiT, arXiv 2103.17239).

    dim: number of channels; init_values: what gamma (dim,) is at first.
    """

    def __init__(self, dim: int, init_values: float = 1e-5, dtype: DTypeLike | None = None):
        dim, dtype = check_positive_int(dim=dim), as_dtype(dtype)
        self.gamma = Parameter(np.full(dim, as_number("init_values", init_values), dtype))

    def forward(self, x: Array, residual: Array | None = None) -> Array:
        check_input(x, self.gamma.data)
        out, self._cache = F.layer_scale_forward(x, self.gamma.data, residual)
        return out

    def backward(self, dout: Array) -> Array:
        """Return dx; the residual's gradient is dout."""
        grads = F.layer_scale_backward(dout, self.spend())
        self.gamma.accumulate(grads.dgamma)
        return grads.dx


class GELU(Module):
    """x · Φ(x), elementwise."""

    def forward(self, x: Array) -> Array:
        out, self._cache = F.gelu_forward(x)
        return out

    def backward(self, dout: Array) -> Array:
        return F.gelu_backward(dout, self.spend())


class ReLU(Module):
    """max(x, 0), elementwise."""

    def forward(self, x: Array) -> Array:
        out, self._cache = F.relu_forward(x)
        return out

    def backward(self, dout: Array) -> Array:
        return F.relu_backward(dout, self.spend())


class SiLU(Module):
    """x · σ(x), elementwise."""

    def forward(self, x: Array) -> Array:
        out, self._cache = F.silu_forward(x)
        return out

    def backward(self, dout: Array) -> Array:
        return F.silu_backward(dout, self.spend())


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
        hidden = in_features if hidden_features is None else hidden_features
        in_features, hidden = check_positive_int(in_features=in_features, hidden_features=hidden)
        drop, generator = check_probability(drop=drop), as_generator(generator)
        self.fc1 = Linear(in_features, hidden, dtype=dtype, generator=generator)
        self.act = GELU()
        self.drop1 = Dropout(drop, generator)
        self.fc2 = Linear(hidden, in_features, dtype=dtype, generator=generator)
        self.drop2 = Dropout(drop, generator)

    def forward(self, x: Array, residual: Array | None = None) -> Array:
        check_input(x, self.fc1.weight.data)
        self._fused = not self.drop1.drops
        if self._fused:
            return self.drop2.add(residual, self._both_layers, x)
        return self.drop2.add(residual, self.fc2, self.drop1(self.act(self.fc1(x))))

    def _both_layers(self, x: Array, residual: Array | None = None) -> Array:
        fc1, fc2 = self.fc1, self.fc2
        assert fc1.bias is not None and fc2.bias is not None  # made with one
        first, second = (fc1.weight.data, fc1.bias.data), (fc2.weight.data, fc2.bias.data)
        out, self._cache = F.mlp_forward(x, *first, *second, residual)
        return out

    def backward(self, dout: Array) -> Array:
        """Return dx; the residual's gradient is dout."""
        dout = self.drop2.backward(dout)
        if not self._fused:
            return self.fc1.backward(self.act.backward(self.drop1.backward(self.fc2.backward(dout))))
        grads = F.mlp_backward(dout, self.spend())
        self.fc1.accumulate(grads.dweight1, grads.dbias1)
        self.fc2.accumulate(grads.dweight2, grads.dbias2)
        return grads.dx


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
        self.proj = Linear(
            in_chans * int(np.prod(self.patch_size)), embed_dim, dtype=dtype, generator=generator
        )
        self.proj.weight = Parameter(
            self.proj.weight.data.reshape(embed_dim, in_chans, *self.patch_size)
        )
        self.norm = None if norm_eps is None else LayerNorm(embed_dim, norm_eps, dtype)

    def forward(self, images: Array) -> Array:
        (images,) = floating(images=images)
        size = self.img_size if self.strict_img_size else (None, None)
        check_shape("images", images, (None, self.in_chans, *size))
        patches, self._patches = F.patches_forward(images, self.patch_size)
        weight, bias = (p.data for p in self.proj.parameters())
        out, self._linear = F.linear_forward(patches, weight.reshape(len(weight), -1), bias)
        return out if self.norm is None else self.norm(out)

    def backward(self, dout: Array) -> Array:
        dout = dout if self.norm is None else self.norm.backward(dout)
        grads = F.linear_backward(dout, self.spend("_linear"))
        self.proj.accumulate(grads.dweight, grads.dbias)
        return F.patches_backward(grads.dx, self.spend("_patches"))
