"""Decomposed relative positions of MViTv2 (arXiv 2112.01526 §4.1), also in SAM (arXiv 2304.02643)."""

import torch
from torch import Tensor

from ..nn import Parameter
from ..random import truncated_normal
from ..types import DTypeLike, Generator, SizeLike, Sizes
from ._axes import AxesBias


class Decomposed(AxesBias):
    """Multiply the query with a vector for the row's offset plus one for the column's:
    bias[b, h, i, j] = q[b, h, i] · (rel_pos_h[Δy + height − 1] + rel_pos_w[Δx + width − 1]),
    Δ = query − key.

    q is not scaled. Names, sign and order are both originals'. Unequal grids at call time: along each
    axis the larger side must be the window's, and the smaller side's positions are spread over it. With
    q queries and k keys, query y_q and key y_k read the row
    max(k/q, 1) · y_q − max(q/k, 1) · y_k + (k − 1) · max(q/k, 1), rounded down (exactly; the originals
    compute it in float32).

    head_dim: width d of a head.

    Prefix tokens: no bias.
    State: rel_pos_h (2 · height − 1, d) and rel_pos_w (2 · width − 1, d), shared by the heads,
    truncated normal (SAM: zeros).
    Source: arXiv 2112.01526 §4.1; SAM, arXiv 2304.02643. Used by MViTv2, SAM, ViTDet.
    """

    bias_type = "decomposed"
    table_names = ("rel_pos_h", "rel_pos_w")

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        self.rel_pos_h, self.rel_pos_w = (
            Parameter(
                truncated_normal(self.generator, (2 * size - 1, head_dim), self.init_std, self.dtype)
            )
            for size in self.window_size
        )

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Tensor:
        longer = max(q_length, k_length)  # its positions are whole, so only the other's are rounded down
        device = self.index.device
        q = torch.arange(q_length, device=device) * longer // q_length
        from_last_key = torch.arange(k_length - 1, -1, -1, device=device) * longer // k_length
        return q[:, None] + from_last_key

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        q_size, k_size, q_offset = super().sizes(q_size, k_size, q_offset)
        larger = tuple(max(q, k) for q, k in zip(q_size, k_size, strict=True))
        if larger != self.window_size:
            raise ValueError(
                f"q_size is {q_size} and k_size {k_size}, but the tables of a 'decomposed' bias are for "
                f"a larger side of {self.window_size}"
            )
        return q_size, k_size, q_offset
