"""Log-spaced continuous position bias (Swin Transformer V2, arXiv 2111.09883 §3.3)."""

from typing import Any

import torch
from torch import Tensor

from ..checks import check_positive_int
from ..nn import Linear, ReLU, Sequential
from ..types import DTypeLike, Generator, SizeLike
from ..wide import call_wide
from ._log_coords import log_coords, pretrained_extent
from ._offset import OffsetBias


class LogCPB(OffsetBias):
    """Compute the bias with an MLP of log-spaced coordinates:
    bias[h, i, j] = 16 · sigmoid(MLP(c(Δ)))[h],
    c(Δ) = sign(δ) log2(1 + |δ|) / log2(8),  δ = 8 Δ / (pretrained_window_size − 1) along each axis,
    Δ = query − key.

    MLP: Linear(2, hidden) – ReLU – Linear(hidden, H, no bias). The table's rows are in Swin's order.
    Meant to be used with cosine attention.

    pretrained_window_size: height and width, an int or a tuple; the window's own unless given.
    hidden_features: width of the MLP.

    Prefix tokens: no bias. Sizes at call time: any.
    State: cpb_mlp.0 and cpb_mlp.2, as in timm's Swin V2. Init: truncated normal weights, zero bias.
    Source: arXiv 2111.09883 §3.3. Used by Swin V2.
    """

    bias_type = "log_cpb"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        pretrained_window_size: SizeLike | None = None,
        hidden_features: int = 512,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        hidden_features = check_positive_int(hidden_features=hidden_features)
        self.extent = pretrained_extent(self, pretrained_window_size)
        options: dict[str, Any] = {
            "init_std": self.init_std,
            "dtype": self.dtype,
            "generator": self.generator,
        }
        self.cpb_mlp = Sequential(
            Linear(2, hidden_features, **options),
            ReLU(),
            Linear(hidden_features, num_heads, bias=False, **options),
        )

    def of_offsets(self, offsets: Tensor) -> Tensor:
        return 16 * torch.sigmoid(call_wide(self.cpb_mlp, log_coords(offsets, self.extent)))

    def resized_options(self) -> dict[str, Any]:
        return {"pretrained_window_size": tuple(extent + 1 for extent in self.extent)}
