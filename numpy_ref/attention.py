"""Multi-head self-attention with relative position bias."""

import math
from typing import Any

import numpy as np

from .checks import (
    MOST_HEADS,
    as_dtype,
    as_number,
    check_bool,
    check_names,
    check_positive_int,
    check_probability,
    check_shape,
)
from .dispatch import F
from .gate import floating
from .nn import Dropout, Linear, Module, Parameter
from .ops.attention import checked_attention, sum_to_shape
from .position import (
    PositionBias,
    RelativePositionBias,
    RpbKwargs,
    ScoreTerms,
    TermGrads,
    scheme_options,
)
from .random import as_generator
from .types import Array, DTypeLike, Generator


class MultiHeadAttention(Module):
    """Self-attention of several heads with a relative position bias.

    out = [residual +] proj(concat_h softmax(scale · q_h k_hᵀ + bias_h + mask) v_h)

    embed_dim: channels D of the input and of the output.
    num_heads: number of heads H.
    use_relative_position: whether there is a scheme, `rel_pos` = RelativePositionBias(**rpb_kwargs).
    rpb_kwargs: its keyword arguments; num_heads and head_dim may be left out.
    qkv_bias: whether `qkv` has a bias vector.
    k_bias: False leaves the keys' bias out, as BEiT and Swin V2 do: the bias of `qkv` is then
        [q_bias, 0, v_bias] with the parameters `q_bias` and `v_bias` (H·d,). Without qkv_bias there is
        no bias in either case.
    attn_drop, proj_drop: dropout rates of the probabilities and of the output.
    cosine_attention: cosine scores with a learned `logit_scale` per head (Swin V2, arXiv 2111.09883).
    head_dim: channels d of a head, D / H unless given; `qkv` has 3·H·d rows, `proj` H·d columns.
    scale: factor of q·k, 1/√d unless given (T5: 1).
    dtype: of the parameters; generator: of every draw.
    Raises ValueError/TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        use_relative_position: bool = True,
        rpb_kwargs: RpbKwargs | None = None,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        cosine_attention: bool = False,
        head_dim: int | None = None,
        scale: float | None = None,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
        *,
        k_bias: bool = True,
    ):
        embed_dim = check_positive_int(embed_dim=embed_dim)
        num_heads = check_positive_int(MOST_HEADS, num_heads=num_heads)
        check_bool(
            use_relative_position=use_relative_position,
            qkv_bias=qkv_bias,
            k_bias=k_bias,
            cosine_attention=cosine_attention,
        )
        check_probability(attn_drop=attn_drop, proj_drop=proj_drop)
        dtype, generator = as_dtype(dtype), as_generator(generator)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.head_dim = as_head_dim(embed_dim, num_heads, head_dim)
        self.scale = as_scale(scale, self.head_dim, cosine_attention)
        width = self.num_heads * self.head_dim
        self.qkv = Linear(embed_dim, 3 * width, qkv_bias and k_bias, dtype=dtype, generator=generator)
        self.q_bias = self.v_bias = None
        if qkv_bias and not k_bias:
            self.q_bias = Parameter(np.zeros(width, dtype))
            self.v_bias = Parameter(np.zeros(width, dtype))
        self.attn_drop = Dropout(attn_drop, generator)
        self.proj = Linear(width, embed_dim, dtype=dtype, generator=generator)
        self.proj_drop = Dropout(proj_drop, generator)
        self.rel_pos = None
        if use_relative_position:
            self.rel_pos = build_rel_pos(num_heads, self.head_dim, rpb_kwargs, dtype, generator)
        elif rpb_kwargs:
            raise ValueError(f"rpb_kwargs is {rpb_kwargs}, but use_relative_position is False")
        self.logit_scale = None
        if cosine_attention:
            self.logit_scale = Parameter(np.full((num_heads, 1, 1), np.log(10), dtype))

    def forward(
        self,
        x: Array,
        bias: Array | None = None,
        mask: Array | None = None,
        residual: Array | None = None,
    ) -> Array:
        """Attend, and return (B, L, D), or (B, Lq, D) for a scheme with fewer queries than keys.

        x: (B, L, D).
        bias: added to the scores, with a gradient; broadcasts to (B, H, Lq, L).
        mask: the same without a gradient; or (nW, 1, Lq, L) with B a multiple of nW.
        residual: added to the result, of its shape.
        """
        q, k, v = self._qkv(x)
        self._given_bias = bias
        terms = self._score_terms(x, q, k, bias)
        dropout = self.attn_drop.draw((*q.shape[:3], k.shape[2]), q.dtype)
        out, self._attention = F.attention_forward(
            q, k, v, *terms[:3], mask, self.scale, dropout, *terms[3:]
        )
        return self.proj_drop.add(residual, self.proj, self._merge(out))

    def backward(self, dout: Array) -> Any:
        """Return dx, or (dx, dbias) when forward was given a bias; the residual's gradient is dout.

        dout: of the shape of forward's result.
        """
        dmerged = self.proj.backward(self.proj_drop.backward(dout))
        grads = F.attention_backward(self._split(dmerged), self.spend("_attention"))
        terms = TermGrads() if self.rel_pos is None else self.rel_pos.score_terms_backward(grads)
        dq, dk = added(grads.dq, terms.dq), added(grads.dk, terms.dk)
        if self.logit_scale is not None:
            dq, dk, dlogit_scale = F.cosine_backward((dq, dk), self.spend("_cosine"))
            self.logit_scale.accumulate(dlogit_scale)
        if self._query_tokens is not None:
            dq, dqueries = np.zeros_like(dk), dq
            dq[:, :, self._query_tokens] = dqueries
        dx = added(self._project_backward(F.merge_qkv(dq, dk, grads.dv)), terms.dx)
        if self._given_bias is None or grads.dbias is None:
            return dx
        return dx, sum_to_shape(grads.dbias, self._given_bias.shape)

    def attention_weights(self, x: Array, bias: Array | None = None, mask: Array | None = None) -> Array:
        """Return the softmax before its dropout, (B, H, Lq, L); eval() also stops dropout in schemes."""
        q, k, _ = self._qkv(x)
        return F.attention_weights(q, k, *self._score_terms(x, q, k, bias)[:3], mask, self.scale)

    def _qkv(self, x: Array) -> tuple[Array, Array, Array]:
        """Project x to q (B, H, Lq, d), k and v (B, H, L, d); cosine attention normalises q and k."""
        x, _ = floating(x=x, **{"qkv.weight": self.qkv.weight.data})
        check_shape("x", x, (None, None, self.embed_dim))
        batch, length, _ = x.shape
        qkv = self._project(x).reshape(batch, length, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        self._query_tokens = None if self.rel_pos is None else self.rel_pos.query_tokens
        if self.rel_pos is not None and self._query_tokens is not None:
            self.rel_pos.sizes_of(length, "x")
            q = q[:, :, self._query_tokens]
        if self.logit_scale is not None:
            (q, k), self._cosine = F.cosine_forward(q, k, self.logit_scale.data)
        return q, k, v

    def _project(self, x: Array) -> Array:
        """Return x Wᵀ + b: b is the bias of `qkv`, or [q_bias, 0, v_bias]."""
        if self.q_bias is None or self.v_bias is None:
            return self.qkv(x)
        q_bias, v_bias = self.q_bias.data, self.v_bias.data
        bias = np.concatenate([q_bias, np.zeros_like(q_bias), v_bias])
        out, self._projection = F.linear_forward(x, self.qkv.weight.data, bias)
        return out

    def _project_backward(self, dqkv: Array) -> Array:
        """Return dx; of db = [dq_bias, dk_bias, dv_bias] the middle part has no parameter."""
        if self.q_bias is None or self.v_bias is None:
            return self.qkv.backward(dqkv)
        grads = F.linear_backward(dqkv, self.spend("_projection"))
        assert grads.dbias is not None  # forward had one
        self.qkv.accumulate(grads.dweight, None)
        width = self.num_heads * self.head_dim
        self.q_bias.accumulate(grads.dbias[:width])
        self.v_bias.accumulate(grads.dbias[2 * width :])
        return grads.dx

    def _split(self, merged: Array) -> Array:
        """(B, L, H·d) -> (B, H, L, d)"""
        batch, length, _ = merged.shape
        return merged.reshape(batch, length, self.num_heads, self.head_dim).transpose(0, 2, 1, 3)

    def _merge(self, heads: Array) -> Array:
        """(B, H, L, d) -> (B, L, H·d)"""
        batch, _, length, _ = heads.shape
        width = self.num_heads * self.head_dim
        return heads.transpose(0, 2, 1, 3).reshape(batch, length, width)

    def _score_terms(self, x: Array, q: Array, k: Array, bias: Array | None) -> ScoreTerms:
        """Return what the scheme and the caller add; the gradient of a sum is that of both terms."""
        if bias is not None:
            bias = checked_attention(q, k, k, bias=bias).bias
        terms = ScoreTerms() if self.rel_pos is None else self.rel_pos.score_terms(x, q, k)
        return terms if bias is None else terms._replace(bias=added(bias, terms.bias))


def added(x: Array, term: Array | None) -> Array:
    """x + term, or x where there is no term."""
    return x if term is None else x + term


def as_head_dim(embed_dim: int, num_heads: int, head_dim: int | None) -> int:
    """Return head_dim, or embed_dim / num_heads for None; raise ValueError for a remainder."""
    if head_dim is not None:
        return check_positive_int(head_dim=head_dim)
    if embed_dim % num_heads:
        raise ValueError(f"embed_dim {embed_dim} is not divisible by num_heads {num_heads}")
    return embed_dim // num_heads


def as_scale(scale: float | None, head_dim: int, cosine_attention: bool) -> float:
    """Return the factor of q·k, 1/√d for None; 1 in cosine attention, which has its own in q."""
    if scale is None:
        return 1.0 if cosine_attention else 1 / math.sqrt(head_dim)
    if cosine_attention:
        raise ValueError(f"scale is {scale}, but cosine_attention learns its own: logit_scale")
    return as_number("scale", scale)


def build_rel_pos(
    num_heads: int, head_dim: int, rpb_kwargs: RpbKwargs | None, dtype: np.dtype, generator: Generator
) -> PositionBias:
    """Build RelativePositionBias(**rpb_kwargs) with the module's heads, dtype and generator."""
    check_names("rpb_kwargs", rpb_kwargs or {})
    if not rpb_kwargs or "window_size" not in rpb_kwargs:
        raise ValueError(f"rpb_kwargs is {rpb_kwargs}, expected at least a window_size")
    expected: dict[str, Any] = {"num_heads": num_heads}
    if "head_dim" in scheme_options(rpb_kwargs.get("bias_type", "2d")):
        expected["head_dim"] = head_dim
    options: dict[str, Any] = {**expected, "dtype": dtype, "generator": generator, **rpb_kwargs}
    for name, value in expected.items():
        if options[name] != value:
            raise ValueError(f"rpb_kwargs has {name} {options[name]}, the attention has {value}")
    return RelativePositionBias(**options)
