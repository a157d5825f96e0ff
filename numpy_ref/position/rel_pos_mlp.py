"""timm's RelPosMlp: a small MLP over offsets, as in Swin V2 (arXiv 2111.09883) or plainer."""

from typing import Any, Literal, get_args

import numpy as np

from ..checks import check_choice, check_positive_int, check_probability
from ..dispatch import F
from ..nn import Dropout, Linear, Module, ReLU
from ..types import Array, DTypeLike, Generator, SizeLike
from ._log_coords import log_coords, pretrained_extent
from ._offset import OffsetBias

Mode = Literal["cr", "swin"]


class RelPosMlp(OffsetBias):
    """Compute the bias with a small MLP of the offset Δ = query − key:
    mode "cr" bias = MLP(sign(Δ) log(1 + |Δ|)),
    mode "swin" bias = 16 · sigmoid(MLP(c(Δ))), c as "log_cpb".

    MLP: Linear(2, hidden) – ReLU – dropout – Linear(hidden, H), the second without bias in mode "swin".

    mode: "cr" (the coordinates of timm's Swin V2 CR) or "swin".
    pretrained_window_size: height and width that scale mode "swin"; the window's own unless given.
    hidden_features: width of the MLP.
    drop: dropout rate in training, 0.125 as timm's.

    Prefix tokens: no bias. Sizes at call time: any.
    State: mlp.fc1 and mlp.fc2. Init: truncated normal weights, zero bias.
    Source: timm.layers.pos_embed_rel.RelPosMlp. Used by timm's MaxViT-RMLP, ViT-relpos.
    """

    bias_type = "rel_pos_mlp"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        mode: Mode = "cr",
        pretrained_window_size: SizeLike | None = None,
        hidden_features: int = 128,
        drop: float = 0.125,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_choice("mode", mode, get_args(Mode))
        hidden_features = check_positive_int(hidden_features=hidden_features)
        drop = check_probability(drop=drop)
        self.mode = mode
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.extent = pretrained_extent(self, pretrained_window_size)
        options = {"init_std": self.init_std, "dtype": self.dtype, "generator": self.generator}
        self.mlp = CoordinateMlp(hidden_features, num_heads, mode == "cr", drop, options)

    def of_offsets(self, offsets: Array) -> Array:
        if self.mode == "cr":
            return self.mlp((np.sign(offsets) * np.log1p(np.abs(offsets))).astype(self.dtype))
        out = self.mlp(log_coords(offsets, self.extent).astype(self.dtype))
        squashed, self._sigmoid = F.sigmoid_forward(out)
        return 16 * squashed

    def of_offsets_backward(self, dvalues: Array) -> None:
        if self.mode == "swin":
            dvalues = F.sigmoid_backward(16 * dvalues, self._sigmoid)
        self.mlp.backward(dvalues)

    def resized_options(self) -> dict[str, Any]:
        if self.mode == "cr":  # its coordinates have no scale
            return {}
        return {"pretrained_window_size": tuple(extent + 1 for extent in self.extent)}


class CoordinateMlp(Module):
    """Compute fc2(dropout(ReLU(fc1(coordinates))))."""

    def __init__(
        self, hidden_features: int, num_heads: int, last_bias: bool, drop: float, options: dict[str, Any]
    ):
        self.fc1 = Linear(2, hidden_features, **options)
        self.act = ReLU()
        self.drop1 = Dropout(drop, options["generator"])
        self.fc2 = Linear(hidden_features, num_heads, bias=last_bias, **options)

    def forward(self, x: Array) -> Array:
        return self.fc2(self.drop1(self.act(self.fc1(x))))

    def backward(self, dout: Array) -> Array:
        return self.fc1.backward(self.act.backward(self.drop1.backward(self.fc2.backward(dout))))
