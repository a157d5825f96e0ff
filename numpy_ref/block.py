"""A transformer block with relative position bias: pre-norm or residual post-norm."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .attention import MultiHeadAttention
from .checks import as_dtype, as_number, check_bool, check_positive_int, check_probability
from .dispatch import F
from .nn import DropPath, LayerNorm, LayerScale, Mlp, Module
from .position import RpbKwargs
from .random import as_generator
from .types import Array, DTypeLike, Generator


class Block(Module):
    """A transformer block, pre-norm (arXiv 2010.11929) or residual post-norm (arXiv 2111.09883).

    pre-norm:      x ← x + droppath(ls1(attn(norm1(x)))),  x ← x + droppath(ls2(mlp(norm2(x))))
    res-post-norm: x ← x + droppath(norm1(attn(x))),       x ← x + droppath(norm2(mlp(x)))

    mlp_ratio: hidden channels of the MLP over embed_dim.
    proj_drop: dropout rate of the attention's output and in the MLP; drop_path: of a whole branch.
    init_values: first value of the layer scales `ls1` and `ls2`; None leaves them out. With
        res_post_norm it is that of the norms' weights (None: 1), and there are no layer scales.
    norm_eps: added to the variance in both layer norms.
    res_post_norm: whether each norm comes after its branch instead of before.
    The other arguments are those of MultiHeadAttention.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        use_relative_position: bool = True,
        rpb_kwargs: RpbKwargs | None = None,
        qkv_bias: bool = True,
        cosine_attention: bool = False,
        proj_drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
        init_values: float | None = None,
        norm_eps: float = 1e-6,
        head_dim: int | None = None,
        scale: float | None = None,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
        *,
        k_bias: bool = True,
        res_post_norm: bool = False,
    ):
        embed_dim = check_positive_int(embed_dim=embed_dim)
        hidden = embed_dim * as_number("mlp_ratio", mlp_ratio, "(0, inf)")
        hidden = int(as_number("embed_dim * mlp_ratio", hidden))
        norm_eps = as_number("norm_eps", norm_eps, "[0, inf)")
        check_probability(drop_path=drop_path)
        check_bool(res_post_norm=res_post_norm)
        dtype, generator = as_dtype(dtype), as_generator(generator)
        self.res_post_norm = res_post_norm
        self.norm1 = LayerNorm(embed_dim, norm_eps, dtype)
        self.attn = MultiHeadAttention(
            embed_dim,
            num_heads,
            use_relative_position,
            rpb_kwargs,
            qkv_bias,
            attn_drop,
            proj_drop,
            cosine_attention,
            head_dim,
            scale,
            dtype,
            generator,
            k_bias=k_bias,
        )
        self.ls1 = None if res_post_norm else layer_scale(embed_dim, init_values, dtype)
        self.drop_path1 = DropPath(drop_path, generator)
        self.norm2 = LayerNorm(embed_dim, norm_eps, dtype)
        self.mlp = Mlp(embed_dim, hidden, proj_drop, dtype, generator)
        self.ls2 = None if res_post_norm else layer_scale(embed_dim, init_values, dtype)
        self.drop_path2 = DropPath(drop_path, generator)
        if res_post_norm and init_values is not None:
            init_values = as_number("init_values", init_values)
            for norm in (self.norm1, self.norm2):
                norm.weight.data[...] = init_values

    def forward(self, x: Array, bias: Array | None = None, mask: Array | None = None) -> Array:
        """Return (B, L, D); x: (B, L, D), bias: None or (H, L, L), which several blocks may share."""
        self._has_bias = bias is not None
        if self.res_post_norm:
            x = self.drop_path1.add(x, followed(self._attend, self.norm1), x, bias, mask)
            return self.drop_path2.add(x, followed(self.mlp, self.norm2), x)
        x = self.drop_path1.add(x, followed(self._attend, self.ls1), self.norm1(x), bias, mask)
        return self.drop_path2.add(x, followed(self.mlp, self.ls2), self.norm2(x))

    def backward(self, dout: Array) -> Any:
        """Return dx, or (dx, dbias) when forward was given a bias.

        dout reaches x past each branch and through it. Before a branch, its norm adds both up.
        """
        if self.res_post_norm:
            dmlp = self.mlp.backward(self.norm2.backward(self.drop_path2.backward(dout)))
            dx, _ = F.residual_forward(dout, dmlp)
            dattn, dbias = self._attend_backward(self.norm1.backward(self.drop_path1.backward(dx)))
            dx, _ = F.residual_forward(dx, dattn)
        else:
            dmlp = self.mlp.backward(unscaled(self.ls2, self.drop_path2.backward(dout)))
            dx = self.norm2.backward(dmlp, dout)
            dattn, dbias = self._attend_backward(unscaled(self.ls1, self.drop_path1.backward(dx)))
            dx = self.norm1.backward(dattn, dx)
        return (dx, dbias) if self._has_bias else dx

    def attention_weights(self, x: Array, bias: Array | None = None, mask: Array | None = None) -> Array:
        """Return the probabilities of the attention, (B, H, L, L); x: the block's input (B, L, D)."""
        return self.attn.attention_weights(x if self.res_post_norm else self.norm1(x), bias, mask)

    def _attend(
        self,
        x: Array,
        bias: Array | None = None,
        mask: Array | None = None,
        residual: Array | None = None,
    ) -> Array:
        """Return [residual +] attn(x); a subclass may attend in another way."""
        return self.attn(x, bias, mask, residual)

    def _attend_backward(self, dout: Array) -> tuple[Array, Array | None]:
        """Return (dx, dbias) of the attention, dbias None when forward was given no bias."""
        grads = self.attn.backward(dout)
        return grads if self._has_bias else (grads, None)


def layer_scale(dim: int, init_values: float | None, dtype: np.dtype) -> LayerScale | None:
    """A LayerScale, or None where init_values is."""
    return None if init_values is None else LayerScale(dim, init_values, dtype)


def followed(branch: Callable[..., Array], layer: LayerScale | LayerNorm | None) -> Callable[..., Array]:
    """The branch with a layer after it, if there is one."""
    if layer is None:
        return branch

    def followed_branch(*inputs: Array | None, residual: Array | None = None) -> Array:
        return layer(branch(*inputs), residual)

    return followed_branch


def unscaled(scale: LayerScale | None, dout: Array) -> Array:
    """dout through the layer scale, if there is one."""
    return dout if scale is None else scale.backward(dout)
