"""Log-spaced continuous position bias (Swin Transformer V2, arXiv 2111.09883 §3.3)."""

import math

import torch
from torch.nn import functional

from ..checks import as_sizes, check_positive_int
from ..nn import Linear, ReLU, Sequential
from ._base import PositionBias
from ._geometry import grid_offsets, offset_rows, with_prefix


class LogCPB(PositionBias):
    """bias[h, i, j] = 16 · sigmoid(MLP(c(Δ)))[h],  c(Δ) = sign(δ) log2(1 + |δ|) / log2(8).

    δ = 8 Δ / (pretrained_window_size − 1) along each axis, Δ = query − key; pretrained_window_size
    is the window's own unless given. MLP: Linear(2, hidden) – ReLU – Linear(hidden, num_heads, no
    bias), named cpb_mlp.0 and cpb_mlp.2 as in timm's Swin V2. The table is computed from the MLP; its
    rows are in Swin's order. Prefix tokens: no bias. Init: truncated normal weights, zero bias.
    Meant to be used with cosine attention.
    """

    bias_type = "log_cpb"
    window_ndim = 2

    def __init__(
        self,
        num_heads,
        window_size,
        init_std=0.02,
        *,
        pretrained_window_size=None,
        hidden_features=512,
        num_prefix_tokens=0,
        dtype=None,
        generator=None,
    ):
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        check_positive_int(hidden_features=hidden_features)
        self.pretrained_window_size = as_sizes(
            "pretrained_window_size",
            self.window_size if pretrained_window_size is None else pretrained_window_size,
            2,
        )
        options = {"init_std": init_std, "dtype": self.dtype, "generator": self.generator}
        self.cpb_mlp = Sequential(
            Linear(2, hidden_features, **options),
            ReLU(),
            Linear(hidden_features, num_heads, bias=False, **options),
        )

    def coords(self):
        """c(Δ) of every offset, in the order of the table's rows: (Π (2·size − 1), 2)."""
        axes = []
        for size, pretrained in zip(self.window_size, self.pretrained_window_size, strict=True):
            delta = torch.arange(1 - size, size, dtype=torch.float64)
            delta = delta / max(pretrained - 1, 1) * 8
            axes.append(delta.sign() * torch.log2(delta.abs() + 1) / math.log2(8))
        weight = self.cpb_mlp[0].weight
        return torch.cartesian_prod(*axes).to(weight.device, weight.dtype)

    def make_index(self, q_size, k_size):
        rows = offset_rows(grid_offsets(q_size, k_size), self.window_size)
        zero = math.prod(2 * size - 1 for size in self.window_size)
        return with_prefix(rows, self.num_prefix_tokens, zero, zero, zero)

    def table(self, q_size=None, k_size=None):
        table = 16 * torch.sigmoid(self.cpb_mlp(self.coords()))
        return functional.pad(table, (0, 0, 0, 1)) if self.num_prefix_tokens else table
