"""The parts of a Swin Transformer: blocks with attention in windows, patch merging, stages.

Version 1 is arXiv 2103.14030, version 2 arXiv 2111.09883.
"""

from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from . import ops
from .block import Block
from .checks import (
    as_number,
    as_sizes,
    check_bool,
    check_choice,
    check_names,
    check_positive_int,
)
from .gate import check_shape, floating
from .nn import LayerNorm, Linear, Module, ModuleList
from .ops.windows import as_shift
from .position import SCHEMES, PositionBias, RpbKwargs
from .types import DTypeLike, Generator, SizeLike

Version = Literal[1, 2]
VERSIONS = get_args(Version)


class SwinTransformerBlock(Block):
    """A transformer block whose attention stays within windows.

    version 1:  x ← x + droppath(attn_w(norm1(x))),  x ← x + droppath(mlp(norm2(x)))
    version 2:  x ← x + droppath(norm1(attn_w(x))),  x ← x + droppath(norm2(mlp(x)))
    attn_w(x) = window_reverse(attn(window_partition(x), mask)),  see `ops.window_partition`.

    version: 1 or 2. In version 2 attention is cosine, the keys have no bias, and the norms' weights are
        zero at first, so that the block begins as the identity.
    window_size: (height, width) in tokens, or an int for both.
    shift_size: rows and columns of the cyclic shift, in [0, window_size).
    rpb_kwargs: bias_type ("2d" in version 1, "log_cpb" in version 2) and its options; the window is the
        block's.
    The other arguments are those of Block.
    Raises ValueError/TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        version: Version = 1,
        window_size: SizeLike = 7,
        shift_size: SizeLike = 0,
        mlp_ratio: float = 4.0,
        use_relative_position: bool = True,
        rpb_kwargs: RpbKwargs | None = None,
        qkv_bias: bool = True,
        proj_drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
        norm_eps: float = 1e-5,
        head_dim: int | None = None,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        version = as_version(version)
        check_bool(use_relative_position=use_relative_position)
        window = as_sizes("window_size", window_size, 2)
        shift = as_shift(shift_size, window)
        if use_relative_position:
            rpb_kwargs = window_rpb_kwargs(version, window, rpb_kwargs)
        super().__init__(
            embed_dim,
            num_heads,
            mlp_ratio,
            use_relative_position,
            rpb_kwargs,
            qkv_bias,
            cosine_attention=version == 2,
            proj_drop=proj_drop,
            attn_drop=attn_drop,
            drop_path=drop_path,
            init_values=0.0 if version == 2 else None,
            norm_eps=norm_eps,
            head_dim=head_dim,
            dtype=dtype,
            generator=generator,
            k_bias=version == 1,
            res_post_norm=version == 2,
        )
        check_window_scheme(self.attn.rel_pos, window)
        self.window_size, self.shift_size = window, shift
        self._kept_mask: tuple[Any, Tensor | None] = None, None

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return (B, H, W, C); x: (B, H, W, C), of any height and width."""
        check_map(x, self.attn.embed_dim)
        return super().forward(x)

    def attention_weights(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the probabilities within the windows, (B·nW, H, L, L); x: the block's input."""
        check_map(x, self.attn.embed_dim)
        windows, mask = self._windows(x if self.res_post_norm else self.norm1(x))
        return self.attn.attention_weights(windows, mask=mask)

    def _attend(self, x: Tensor, bias: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Return window_reverse(attn(window_partition(x), mask)), (B, H, W, C)."""
        windows, mask = self._windows(x)
        windows = self.attn(windows, mask=mask)
        return ops.window_reverse(windows, x.shape[1:3], self.window_size, self.shift_size)

    def _windows(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the windows of a map and attention's mask for them."""
        return ops.window_partition(x, self.window_size, self.shift_size), self._mask(x)

    def _mask(self, x: Tensor) -> Tensor | None:
        """Return the mask for a map (B, H, W, C); the last one is kept for maps like it."""
        asked = x.shape[1:3], self.window_size, self.shift_size, x.dtype, x.device
        if torch.compiler.is_compiling():  # a few comparisons, which become a part of the softmax
            return ops.window_mask(*asked)
        kept = self._kept_mask  # read once: another thread may replace it
        if kept[0] != asked:
            with torch.inference_mode(False):
                kept = self._kept_mask = asked, ops.window_mask(*asked)
        return kept[1]


class PatchMerging(Module):
    """Halve a map's height and width and double its channels.

    version 1:  out = reduction(norm(merge(x)));  version 2:  out = norm(reduction(merge(x)))
    merge: `patch_merging_forward`, the channels of 2×2 neighbours side by side.

    dim: channels C of the input; out_dim: of the output, 2·C unless given.
    norm_eps: added to the variance in the layer norm.
    """

    def __init__(
        self,
        dim: int,
        out_dim: int | None = None,
        version: Version = 1,
        norm_eps: float = 1e-5,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        version = as_version(version)
        dim = check_positive_int(dim=dim)
        width: int = check_positive_int(out_dim=2 * dim if out_dim is None else out_dim)
        norm_eps = as_number("norm_eps", norm_eps, "[0, inf)")
        self.dim, self.version = dim, version
        self.norm = LayerNorm(4 * dim if version == 1 else width, norm_eps, dtype)
        self.reduction = Linear(4 * dim, width, bias=False, dtype=dtype, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, ⌈H/2⌉, ⌈W/2⌉, out_dim); x: (B, H, W, dim)."""
        check_map(x, self.dim)
        merged = ops.patch_merging(x)
        if self.version == 1:
            return self.reduction(self.norm(merged))
        return self.norm(self.reduction(merged))


class SwinTransformerStage(Module):
    """Apply the downsampling, if there is one, then the blocks."""

    downsample: PatchMerging | None

    def __init__(self, downsample: PatchMerging | None, blocks: Iterable[SwinTransformerBlock]):
        super().__init__()
        self.downsample = downsample
        self.blocks = ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the stage's map; x: (B, H, W, C)."""
        x = x if self.downsample is None else self.downsample(x)
        for block in self.blocks:
            x = block(x)
        return x

    def named_blocks(self) -> list[tuple[str, SwinTransformerBlock]]:
        """Return the pairs (name, block) of the blocks in order."""
        return [(n, b) for n, b in self.blocks.named_children() if isinstance(b, SwinTransformerBlock)]


def check_map(x: Tensor, chans: int) -> None:
    """Check for a map (B, H, W, chans); raises TypeError/ValueError."""
    floating(x=x)
    check_shape("x", x, (None, None, None, chans))


def as_version(version: Any) -> Version:
    """Return one of Swin's versions as a Python int; raises ValueError."""
    if isinstance(version, bool) or not isinstance(version, Integral) or version not in VERSIONS:
        raise ValueError(f"version is {version!r}, expected 1 or 2")
    return 1 if version == 1 else 2


def window_rpb_kwargs(version: Version, window_size: tuple[int, ...], rpb_kwargs: Any) -> Any:
    """Return the scheme's options with the block's window; raises TypeError/ValueError."""
    check_names("rpb_kwargs", rpb_kwargs or {})
    options: dict[str, Any] = {"bias_type": "2d" if version == 1 else "log_cpb"} | dict(rpb_kwargs or {})
    check_choice("bias_type", options["bias_type"], tuple(SCHEMES))
    window = (1, *window_size) if SCHEMES[options["bias_type"]].window_ndim == 3 else window_size
    given = as_sizes("window_size", options.get("window_size", window), len(window))
    if given != window:
        raise ValueError(f"rpb_kwargs has window_size {given}, the block has {window_size}")
    return options | {"window_size": window}


def check_window_scheme(scheme: PositionBias | None, window_size: tuple[int, ...]) -> None:
    """Raise ValueError unless the scheme has a query and a key for each token of the window."""
    if scheme is None:
        return
    if scheme.num_prefix_tokens:
        raise ValueError(
            f"rpb_kwargs has num_prefix_tokens {scheme.num_prefix_tokens}, but a window has none"
        )
    if scheme.query_tokens is not None:
        raise ValueError(
            f"rpb_kwargs makes {scheme.query_size} queries of the window {window_size}, but a residual "
            "block needs one for each token"
        )
