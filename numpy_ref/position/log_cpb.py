"""Log-spaced continuous position bias (Swin Transformer V2, arXiv 2111.09883 §3.3)."""

import math

import numpy as np

from ..checks import as_sizes, check_positive_int
from ..dispatch import F
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
            [
                Linear(2, hidden_features, **options),
                ReLU(),
                Linear(hidden_features, num_heads, bias=False, **options),
            ]
        )

    def coords(self):
        """c(Δ) of every offset, in the order of the table's rows: (Π (2·size − 1), 2)."""
        height, width = self.window_size
        dy, dx = np.mgrid[1 - height : height, 1 - width : width]
        offsets = np.stack([dy.ravel(), dx.ravel()], axis=-1)
        extent = np.maximum(np.array(self.pretrained_window_size) - 1, 1)  # one token: Δ is 0
        delta = 8 * offsets / extent
        return (np.sign(delta) * np.log2(1 + np.abs(delta)) / math.log2(8)).astype(self.dtype)

    def make_index(self, q_size, k_size):
        rows = offset_rows(grid_offsets(q_size, k_size), self.window_size)
        zero = math.prod(2 * size - 1 for size in self.window_size)
        return with_prefix(rows, self.num_prefix_tokens, zero, zero, zero)

    def table(self, q_size=None, k_size=None):
        squashed, self._sigmoid = F.sigmoid_forward(self.cpb_mlp(self.coords()))
        if not self.num_prefix_tokens:
            return 16 * squashed
        return np.concatenate([16 * squashed, np.zeros((1, self.num_heads), self.dtype)])

    def table_backward(self, dtable):
        """dlogits = 16 · dtable · σ (1 − σ), then through the MLP; the zero row has no gradient."""
        dsquashed = 16 * dtable[: len(self._sigmoid)]
        self.cpb_mlp.backward(F.sigmoid_backward(dsquashed, self._sigmoid))
