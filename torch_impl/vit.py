"""Vision transformer with a choice of position encodings (arXiv 2010.11929)."""

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from .attention import build_rel_pos
from .block import Block
from .checks import (
    MOST_HEADS,
    MOST_LAYERS,
    as_dtype,
    check_bool,
    check_choice,
    check_names,
    check_positive_int,
    check_probability,
)
from .nn import Dropout, LayerNorm, Linear, ModuleList, Parameter, PatchEmbed
from .position import SCHEMES, PositionBias, RpbKwargs
from .pretrained import Pretrained
from .random import as_generator, truncated_normal
from .types import DTypeLike, Generator, SizeLike

Position = Literal["relative", "shared_relative", "absolute", "none"]
Pool = Literal["token", "avg"]
POSITIONS = get_args(Position)


class VisionTransformer(Pretrained):
    """A vision transformer that classifies images.

    logits = head(pool(norm(blocks(embed(images)))))

    img_size, patch_size: an int or (height, width) in pixels; in_chans: channels of an image.
    global_pool: "token" (the class token) or "avg" (the mean of the patches).
    class_token: whether there is one; None: where global_pool is "token". With "avg" it only attends.
    fc_norm: whether the last norm comes after pooling: `fc_norm` in place of `norm`.
    position: "relative" (one bias per layer, `blocks.*.attn.rel_pos`), "shared_relative" (one for all
        layers, `shared_rel_pos`), "absolute" (a learned `pos_embed`) or "none".
    use_abs_pos_emb: whether a relative position has a learned `pos_embed` beside it.
    rpb_kwargs: bias_type and its options; the window is the grid of patches.
    drop_rate: dropout rate after the embedding, of the attention's output and in the MLP.
    attn_drop_rate: dropout rate of the probabilities.
    drop_path_rate: stochastic depth of the last block; it grows linearly from 0 in the first.
    init_values: as in Block; norm_eps: of all layer norms.
    generator: of the parameters and of every draw. The other arguments are those of Block.
    Raises ValueError/TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        img_size: SizeLike = 28,
        patch_size: SizeLike = 4,
        in_chans: int = 1,
        num_classes: int = 10,
        global_pool: Pool = "token",
        embed_dim: int = 96,
        depth: int = 4,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        position: Position = "relative",
        rpb_kwargs: RpbKwargs | None = None,
        cosine_attention: bool = False,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        init_values: float | None = None,
        norm_eps: float = 1e-6,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
        *,
        k_bias: bool = True,
        class_token: bool | None = None,
        fc_norm: bool = False,
        res_post_norm: bool = False,
        use_abs_pos_emb: bool = False,
    ):
        super().__init__()
        self.num_classes, embed_dim = check_positive_int(num_classes=num_classes, embed_dim=embed_dim)
        depth = check_positive_int(MOST_LAYERS, depth=depth)
        num_heads = check_positive_int(MOST_HEADS, num_heads=num_heads)
        check_choice("position", position, POSITIONS)
        check_choice("global_pool", global_pool, get_args(Pool))
        drop_rate, attn_drop_rate, drop_path_rate = check_probability(
            drop_rate=drop_rate, attn_drop_rate=attn_drop_rate, drop_path_rate=drop_path_rate
        )
        relative = position in ("relative", "shared_relative")
        if rpb_kwargs and not relative:
            raise ValueError(f"rpb_kwargs is {rpb_kwargs}, but position is {position!r}")
        check_bool(fc_norm=fc_norm, use_abs_pos_emb=use_abs_pos_emb)
        if use_abs_pos_emb and position == "none":
            raise ValueError("use_abs_pos_emb is True, but position is 'none'")
        dtype, self.generator = as_dtype(dtype), as_generator(generator)
        self.patch_embed = PatchEmbed(img_size, patch_size, in_chans, embed_dim, dtype, self.generator)
        self.global_pool = global_pool
        self.num_prefix_tokens = prefix = int(has_class_token(class_token, global_pool))
        self.num_tokens = prefix + math.prod(self.patch_embed.grid_size)
        self.cls_token = self._embedding(1, embed_dim, dtype) if prefix else None
        absolute = use_abs_pos_emb or position == "absolute"
        self.pos_embed = self._embedding(self.num_tokens, embed_dim, dtype) if absolute else None
        self.pos_drop = Dropout(drop_rate, self.generator)
        if relative:
            rpb_kwargs = self._rpb_kwargs(rpb_kwargs)
        self.shared_rel_pos = None
        if position == "shared_relative":
            self.shared_rel_pos = build_rel_pos(
                num_heads, embed_dim // num_heads, rpb_kwargs, dtype, self.generator
            )
        self.blocks = ModuleList(
            Block(
                embed_dim,
                num_heads,
                mlp_ratio,
                position == "relative",
                rpb_kwargs if position == "relative" else None,
                qkv_bias,
                cosine_attention,
                drop_rate,
                attn_drop_rate,
                drop_path_rate * layer / max(depth - 1, 1),
                init_values,
                norm_eps,
                dtype=dtype,
                generator=self.generator,
                k_bias=k_bias,
                res_post_norm=res_post_norm,
            )
            for layer in range(depth)
        )
        self._check_schemes()
        self.norm = None if fc_norm else LayerNorm(embed_dim, norm_eps, dtype)
        self.fc_norm = LayerNorm(embed_dim, norm_eps, dtype) if fc_norm else None
        self.head = Linear(embed_dim, num_classes, dtype=dtype, generator=self.generator)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, num_classes); images: (B, in_chans, height, width)."""
        x, bias = self._embed(images), self._shared_bias()
        for block in self.blocks:
            x = block(x, bias)
        x = x if self.norm is None else self.norm(x)
        pooled = x[:, 0] if self.global_pool == "token" else x[:, self.num_prefix_tokens :].mean(1)
        return self.head(pooled if self.fc_norm is None else self.fc_norm(pooled))

    @property
    def dtype(self) -> torch.dtype:
        return self.head.weight.dtype

    def attention_maps(self, images: Tensor) -> list[Tensor]:
        """Return the attention probabilities of every layer, [(B, H, L, L)]; call eval() first."""
        x, bias, maps = self._embed(images), self._shared_bias(), []
        for block in self._blocks:
            maps.append(block.attention_weights(x, bias))
            x = block(x, bias)
        return maps

    def rel_pos_biases(self) -> dict[str, PositionBias]:
        """Return {name: scheme} of the position biases in the model; {} for "absolute" and "none"."""
        if self.shared_rel_pos is not None:
            return {"shared_rel_pos": self.shared_rel_pos}
        attns = {f"blocks.{n}.attn.rel_pos": b.attn.rel_pos for n, b in enumerate(self._blocks)}
        return {name: scheme for name, scheme in attns.items() if scheme is not None}

    @property
    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _embed(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        if self.pos_embed is not None:
            x = x + self.pos_embed
        return self.pos_drop(x)

    def _shared_bias(self) -> Tensor | None:
        return None if self.shared_rel_pos is None else self.shared_rel_pos()

    def _embedding(self, length: int, embed_dim: int, dtype: torch.dtype) -> Parameter:
        return Parameter(truncated_normal(self.generator, (1, length, embed_dim), 0.02, dtype))

    def _check_schemes(self) -> None:
        """Raise ValueError unless the window is the grid of patches and every patch is a query."""
        grid = self.patch_embed.grid_size
        for scheme in self.rel_pos_biases().values():
            if scheme.window_size not in (grid, (math.prod(grid),), (1, *grid)):
                raise ValueError(
                    f"rpb_kwargs has window_size {scheme.window_size}, the patches make a grid of {grid}"
                )
            if scheme.query_tokens is not None:
                raise ValueError(
                    f"rpb_kwargs makes {scheme.query_size} queries of the {grid} patches, but a "
                    "residual block needs one for each"
                )
        if self.shared_rel_pos is not None and self.shared_rel_pos.looks_at_query:
            raise ValueError(
                f"position is 'shared_relative', but {self.shared_rel_pos.bias_type!r} looks at the "
                "query, which differs from layer to layer: use position 'relative'"
            )

    def _rpb_kwargs(self, rpb_kwargs: Any) -> Any:
        """Return the scheme's options with the window and the prefix tokens of this model."""
        check_names("rpb_kwargs", rpb_kwargs or {})
        defaults = {"bias_type": "2d", "num_prefix_tokens": self.num_prefix_tokens}
        rpb_kwargs = defaults | dict(rpb_kwargs or {})
        check_choice("bias_type", rpb_kwargs["bias_type"], tuple(SCHEMES))
        if rpb_kwargs["num_prefix_tokens"] != self.num_prefix_tokens:
            raise ValueError(
                f"rpb_kwargs has num_prefix_tokens {rpb_kwargs['num_prefix_tokens']}, "
                f"the model has {self.num_prefix_tokens}"
            )
        grid = self.patch_embed.grid_size
        ndim = SCHEMES[rpb_kwargs["bias_type"]].window_ndim
        return {"window_size": (1, *grid) if ndim == 3 else grid} | rpb_kwargs


def has_class_token(class_token: bool | None, global_pool: Pool) -> bool:
    """Return class_token, or what global_pool asks for with None; raises TypeError/ValueError."""
    if class_token is None:
        return global_pool == "token"
    check_bool(class_token=class_token)
    if global_pool == "token" and not class_token:
        raise ValueError("global_pool is 'token', but class_token is False")
    return class_token
