"""Multi-head self-attention with relative position bias."""

import numpy as np

from .checks import as_dtype, check_bool, check_positive_int, check_probability, check_shape
from .dispatch import F
from .nn import Dropout, Linear, Module, Parameter
from .position import RelativePositionBias
from .random import as_generator


class MultiHeadAttention(Module):
    """out = proj(concat_h softmax(scale · q_h k_hᵀ + bias_h + mask) v_h).

    use_relative_position builds `rel_pos` = RelativePositionBias(**rpb_kwargs); its num_heads may be
    left out. cosine_attention: scaled cosine scores with a learned `logit_scale` per head instead of
    q·k/√d (Swin V2, arXiv 2111.09883). Names as in timm: qkv, proj.
    Raises ValueError/TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        embed_dim,
        num_heads,
        use_relative_position=True,
        rpb_kwargs=None,
        qkv_bias=True,
        attn_drop=0.0,
        proj_drop=0.0,
        cosine_attention=False,
        dtype=None,
        generator=None,
    ):
        check_positive_int(embed_dim=embed_dim, num_heads=num_heads)
        check_bool(
            use_relative_position=use_relative_position,
            qkv_bias=qkv_bias,
            cosine_attention=cosine_attention,
        )
        check_probability(attn_drop=attn_drop, proj_drop=proj_drop)
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} is not divisible by num_heads {num_heads}")
        dtype, generator = as_dtype(dtype), as_generator(generator)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.head_dim = embed_dim // num_heads
        self.qkv = Linear(embed_dim, 3 * embed_dim, qkv_bias, dtype=dtype, generator=generator)
        self.attn_drop = Dropout(attn_drop, generator)
        self.proj = Linear(embed_dim, embed_dim, dtype=dtype, generator=generator)
        self.proj_drop = Dropout(proj_drop, generator)
        self.rel_pos = None
        if use_relative_position:
            self.rel_pos = build_rel_pos(num_heads, rpb_kwargs, dtype, generator)
        elif rpb_kwargs:
            raise ValueError(f"rpb_kwargs is {rpb_kwargs}, but use_relative_position is False")
        self.logit_scale = None
        if cosine_attention:
            self.logit_scale = Parameter(np.full((num_heads, 1, 1), np.log(10), dtype))

    def forward(self, x, bias=None, mask=None):
        """x (B, L, embed_dim), bias (H, L, L) with a gradient, mask additive -> (B, L, embed_dim)."""
        q, k, v = self._qkv(x)
        dropout = self.attn_drop.draw((*q.shape[:3], k.shape[2]), q.dtype)
        out, self._attention = F.attention_forward(
            q, k, v, *self._lookup(x), bias, mask, self._scale(), dropout
        )
        merged = out.transpose(0, 2, 1, 3).reshape(x.shape)
        self._has_bias = bias is not None
        return self.proj_drop(self.proj(merged))

    def backward(self, dout):
        """dout (B, L, embed_dim) -> dx, or (dx, dbias) when forward was given a bias."""
        dmerged = self.proj.backward(self.proj_drop.backward(dout))
        grads = F.attention_backward(self._split(dmerged), self._attention)
        if self.rel_pos is not None:
            self.rel_pos.table_backward(grads.dtable)
        dq, dk = grads.dq, grads.dk
        if self.logit_scale is not None:
            dq, dk, dlogit_scale = F.cosine_backward((dq, dk), self._cosine)
            self.logit_scale.accumulate(dlogit_scale)
        dqkv = np.stack([dq, dk, grads.dv])  # (3, B, H, L, d)
        batch, length = dout.shape[:2]
        dx = self.qkv.backward(dqkv.transpose(1, 3, 0, 2, 4).reshape(batch, length, 3 * self.embed_dim))
        return (dx, grads.dbias) if self._has_bias else dx

    def attention_weights(self, x, bias=None, mask=None):
        """The probabilities softmax(…) that forward would use in evaluation: (B, H, L, L)."""
        q, k, _ = self._qkv(x)
        return F.attention_weights(q, k, *self._lookup(x), bias, mask, self._scale())

    def _qkv(self, x):
        """x -> q, k, v, each (B, H, L, d); q and k normalised for cosine attention."""
        check_shape("x", x, (None, None, self.embed_dim))
        batch, length, _ = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        if self.logit_scale is not None:
            (q, k), self._cosine = F.cosine_forward(q, k, self.logit_scale.data)
        return q, k, v

    def _split(self, merged):
        """(B, L, H·d) -> (B, H, L, d)"""
        batch, length, _ = merged.shape
        return merged.reshape(batch, length, self.num_heads, self.head_dim).transpose(0, 2, 1, 3)

    def _lookup(self, x):
        """(table, index) for this many tokens, or (None, None)."""
        if self.rel_pos is None:
            return None, None
        return self.rel_pos.lookup_tokens(x.shape[1])

    def _scale(self):
        return None if self.logit_scale is None else 1.0


def build_rel_pos(num_heads, rpb_kwargs, dtype, generator):
    """RelativePositionBias(**rpb_kwargs) with the module's num_heads, dtype and generator."""
    if not rpb_kwargs or "window_size" not in rpb_kwargs:
        raise ValueError(f"rpb_kwargs is {rpb_kwargs}, expected at least a window_size")
    options = {"num_heads": num_heads, "dtype": dtype, "generator": generator, **rpb_kwargs}
    if options["num_heads"] != num_heads:
        raise ValueError(
            f"rpb_kwargs has num_heads {options['num_heads']}, the attention has {num_heads}"
        )
    return RelativePositionBias(**options)
