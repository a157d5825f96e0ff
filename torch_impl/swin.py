"""Swin Transformer, version 1 (arXiv 2103.14030) and 2 (arXiv 2111.09883)."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from .checks import (
    MOST_HEADS,
    MOST_LAYERS,
    as_dtype,
    as_number,
    as_sizes,
    check_bool,
    check_choice,
    check_natural,
    check_positive_int,
    check_probability,
)
from .nn import Dropout, LayerNorm, Linear, Module, ModuleList, PatchEmbed
from .position import PositionBias, RpbKwargs
from .pretrained import Pretrained
from .random import as_generator
from .swin_block import PatchMerging, SwinTransformerBlock, SwinTransformerStage, Version, as_version
from .swin_options import as_out_indices, as_pretrained_windows, check_counts, with_pretrained_window
from .swin_presets import PRESETS
from .types import DTypeLike, Generator, Size, SizeLike


class SwinTransformer(Pretrained):
    """A Swin Transformer that classifies images, or returns the feature maps of its stages.

    logits = head(norm(stages(embed(images)))),  head: the mean over the tokens, then a linear layer.

    version: 1, or 2 (cosine attention, the "log_cpb" scheme, norms after the branches).
    img_size, patch_size: an int or (height, width) in pixels; in_chans: channels of an image.
    num_classes: 0 leaves out the linear layer of the head.
    embed_dim: channels C of the first stage; each later stage has twice as many.
    depths, num_heads: blocks and heads of each stage. head_dim: of every block, C / H unless given.
    window_size: in tokens, an int or (height, width). A stage with a smaller map has a window of the
        map's size.
    always_partition: keep the window there too and pad the map, as torchvision does.
    strict_img_size: whether images must have img_size; if not, any multiple of patch_size will do.
    pretrained_window_sizes: for "log_cpb", one per stage; 0 is the window's own. None: all 0.
    drop_rate: dropout rate before the linear layer of the head; proj_drop_rate: of attention's output
        and in the MLP; attn_drop_rate: of the probabilities.
    drop_path_rate: stochastic depth of the last block; it grows linearly from 0 in the first.
    norm_eps: added to the variance in all layer norms.
    features_only: return the maps of the stages `out_indices` (all unless given) in place of logits;
        there is no `norm` and no `head` then.
    generator: of the parameters and of every draw. The other arguments are those of
        SwinTransformerBlock.
    Raises ValueError/TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        version: Version = 1,
        img_size: SizeLike = 224,
        patch_size: SizeLike = 4,
        in_chans: int = 3,
        num_classes: int = 1000,
        embed_dim: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        head_dim: int | None = None,
        window_size: SizeLike = 7,
        always_partition: bool = False,
        strict_img_size: bool = True,
        pretrained_window_sizes: Sequence[SizeLike] | None = None,
        mlp_ratio: float = 4.0,
        use_relative_position: bool = True,
        rpb_kwargs: RpbKwargs | None = None,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        norm_eps: float = 1e-5,
        features_only: bool = False,
        out_indices: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        version = as_version(version)
        num_classes = check_natural(num_classes=num_classes)
        embed_dim = check_positive_int(embed_dim=embed_dim)
        depths = check_counts("depths", depths, MOST_LAYERS)
        num_heads = check_counts("num_heads", num_heads, MOST_HEADS, len(depths))
        check_bool(always_partition=always_partition, features_only=features_only)
        norm_eps = as_number("norm_eps", norm_eps, "[0, inf)")
        drop_rate, proj_drop_rate, attn_drop_rate, drop_path_rate = check_probability(
            drop_rate=drop_rate,
            proj_drop_rate=proj_drop_rate,
            attn_drop_rate=attn_drop_rate,
            drop_path_rate=drop_path_rate,
        )
        pretrained = as_pretrained_windows(version, pretrained_window_sizes, len(depths))
        self.out_indices = as_out_indices(out_indices, features_only, len(depths))
        stages = self.out_indices[-1] + 1 if features_only else len(depths)
        self.num_classes = 0 if features_only else num_classes
        dtype, self.generator = as_dtype(dtype), as_generator(generator)
        self.patch_embed = PatchEmbed(
            img_size, patch_size, in_chans, embed_dim, dtype, self.generator, norm_eps, strict_img_size
        )
        drawn: dict[str, Any] = {"dtype": dtype, "generator": self.generator}
        shared: dict[str, Any] = drawn | {
            "version": version,
            "mlp_ratio": mlp_ratio,
            "use_relative_position": use_relative_position,
            "qkv_bias": qkv_bias,
            "proj_drop": proj_drop_rate,
            "attn_drop": attn_drop_rate,
            "norm_eps": norm_eps,
            "head_dim": head_dim,
        }
        window, size = as_sizes("window_size", window_size, 2), self.patch_embed.grid_size
        rates = [drop_path_rate * n / max(sum(depths) - 1, 1) for n in range(sum(depths))]
        layers: list[SwinTransformerStage] = []
        for stage in range(stages):
            dim, downsample, first = embed_dim << stage, None, sum(depths[:stage])
            if stage:
                downsample = PatchMerging(dim // 2, dim, version, norm_eps, **drawn)
                size = tuple((length + 1) // 2 for length in size)
            blocks = window_blocks(
                dim,
                num_heads[stage],
                window if always_partition else tuple(map(min, size, window)),
                rates[first : first + depths[stage]],
                rpb_kwargs=with_pretrained_window(rpb_kwargs, pretrained[stage]),
                **shared,
            )
            layers.append(SwinTransformerStage(downsample, blocks))
        self.layers = ModuleList(layers)
        self.norm = self.head = None
        if not features_only:
            self.norm = LayerNorm(embed_dim << (len(depths) - 1), norm_eps, dtype)
            self.head = ClassifierHead(self.norm.weight.shape[0], num_classes, drop_rate, **drawn)

    @classmethod
    def preset(cls, name: str, **arguments: Any) -> Self:
        """Return the model with timm's name, such as "swin_tiny_patch4_window7_224", untrained.

        arguments: of the constructor; they replace those of the preset.
        Raises ValueError for an unknown name, listing those there are.
        """
        check_choice("name", name, tuple(PRESETS))
        return cls(**(PRESETS[name] | arguments))

    def forward(self, images: Tensor) -> Any:
        """Return the logits (B, num_classes), or the feature maps [(B, H, W, C)] of `out_indices`.

        images: (B, in_chans, height, width).
        """
        x, maps = self._embed(images), []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        if self.norm is None or self.head is None:
            return [maps[n] for n in self.out_indices]
        return self.head(self.norm(x))

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embed.proj.weight.dtype

    def attention_maps(self, images: Tensor) -> list[Tensor]:
        """Return the probabilities within the windows of every block, [(B·nW, H, L, L)].

        Call eval() first. Windows and tokens are in the order of `window_partition_forward`.
        """
        x, maps = self._embed(images), []
        for stage in self._stages:
            x = x if stage.downsample is None else stage.downsample(x)
            for _, block in stage.named_blocks():
                maps.append(block.attention_weights(x))
                x = block(x)
        return maps

    def rel_pos_biases(self) -> dict[str, PositionBias]:
        """Return {name: scheme} of the position biases in the model."""
        return {
            f"layers.{s}.blocks.{n}.attn.rel_pos": block.attn.rel_pos
            for s, stage in enumerate(self._stages)
            for n, block in stage.named_blocks()
            if block.attn.rel_pos is not None
        }

    @property
    def _stages(self) -> list[SwinTransformerStage]:
        return [stage for stage in self.layers if isinstance(stage, SwinTransformerStage)]

    def _embed(self, images: Tensor) -> Tensor:
        """(B, in_chans, height, width) -> (B, H, W, embed_dim)"""
        x = self.patch_embed(images)
        height, width = (
            length // patch
            for length, patch in zip(images.shape[2:], self.patch_embed.patch_size, strict=True)
        )
        return x.unflatten(1, (height, width))


class ClassifierHead(Module):
    """Average the tokens of a map, then apply dropout and a linear layer `fc`.

    in_features: channels C of the map; num_classes: 0 for no linear layer; drop_rate: of the dropout.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        drop_rate: float = 0.0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.drop = Dropout(drop_rate, generator)
        self.fc = None
        if num_classes:
            self.fc = Linear(in_features, num_classes, dtype=dtype, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, num_classes), or (B, C) without `fc`; x: (B, H, W, C)."""
        pooled = self.drop(x.mean((1, 2)))
        return pooled if self.fc is None else self.fc(pooled)


def window_blocks(
    dim: int, num_heads: int, window: Size, drop_paths: Sequence[float], **options: Any
) -> list[SwinTransformerBlock]:
    """Return a block for each rate of `drop_paths`; every second one is shifted by half a window."""
    shifts = 0, tuple(w // 2 for w in window)
    return [
        SwinTransformerBlock(
            dim, num_heads, window_size=window, shift_size=shifts[n % 2], drop_path=rate, **options
        )
        for n, rate in enumerate(drop_paths)
    ]
