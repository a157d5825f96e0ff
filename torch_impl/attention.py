"""Multi-head self-attention with relative position bias."""

import math
from typing import Any

import torch
from torch import Tensor

from . import ops
from .checks import (
    MOST_HEADS,
    as_dtype,
    as_number,
    check_bool,
    check_names,
    check_positive_int,
    check_probability,
)
from .gate import check_shape, floating
from .nn import Dropout, Linear, Module, Parameter
from .ops.attention import check_attention
from .position import PositionBias, RelativePositionBias, RpbKwargs, ScoreTerms, scheme_options
from .random import as_generator
from .types import DTypeLike, Generator


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
        super().__init__()
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
            self.q_bias = Parameter(torch.zeros(width, dtype=dtype))
            self.v_bias = Parameter(torch.zeros(width, dtype=dtype))
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
            init = torch.full((num_heads, 1, 1), math.log(10), dtype=dtype)
            self.logit_scale = Parameter(init)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None = None,
        mask: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """Attend, and return (B, L, D), or (B, Lq, D) for a scheme with fewer queries than keys.

        x: (B, L, D).
        bias: added to the scores, with a gradient; broadcasts to (B, H, Lq, L).
        mask: the same without a gradient; or (nW, 1, Lq, L) with B a multiple of nW.
        residual: added to the result, of its shape.
        """
        q, k, v = self._qkv(x)
        terms = self._score_terms(x, q, k, bias)
        dropout = self.attn_drop.draw((*q.shape[:3], k.shape[2]), q.dtype, q.device)
        out = ops.attention(q, k, v, mask=mask, scale=self.scale, dropout=dropout, **terms._asdict())
        return self.proj_drop.add(residual, self.proj, out.transpose(1, 2).flatten(2))

    def attention_weights(
        self, x: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Return the softmax before its dropout, (B, H, Lq, L); eval() also stops dropout in schemes."""
        q, k, _ = self._qkv(x)
        terms = self._score_terms(x, q, k, bias)
        of_scores = {name: x for name, x in terms._asdict().items() if not name.startswith("value_")}
        return ops.attention_weights(q, k, mask=mask, scale=self.scale, **of_scores)

    def _qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project x to q (B, H, Lq, d), k and v (B, H, L, d); cosine attention normalises q and k."""
        floating(x=x, **{"qkv.weight": self.qkv.weight})
        check_shape("x", x, (None, None, self.embed_dim))
        qkv = self._project(x).unflatten(-1, (3, self.num_heads, self.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        tokens = None if self.rel_pos is None else self.rel_pos.query_tokens
        if self.rel_pos is not None and tokens is not None:
            self.rel_pos.sizes_of(x.shape[1], "x")
            q = q[:, :, tokens.to(q.device)]
        if self.logit_scale is not None:
            q, k = ops.cosine(q, k, self.logit_scale)
        return q, k, v

    def _project(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b: b is the bias of `qkv`, or [q_bias, 0, v_bias]."""
        if self.q_bias is None or self.v_bias is None:
            return self.qkv(x)
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        return ops.linear(x, self.qkv.weight, bias)

    def _score_terms(self, x: Tensor, q: Tensor, k: Tensor, bias: Tensor | None) -> ScoreTerms:
        """Return what the scheme and the caller add."""
        if bias is not None:
            check_attention(q, k, k, bias=bias)
        terms = ScoreTerms() if self.rel_pos is None else self.rel_pos.score_terms(x, q, k)
        if bias is None:
            return terms
        return terms._replace(bias=bias if terms.bias is None else bias + terms.bias)


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
    num_heads: int, head_dim: int, rpb_kwargs: RpbKwargs | None, dtype: torch.dtype, generator: Generator
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
