"""Dynamic position bias of CrossFormer (arXiv 2108.00154 §3.3)."""

from typing import Any

from torch import Tensor

from ..checks import check_bool, check_positive_int
from ..nn import LayerNorm, Linear, ReLU, Sequential
from ..types import DTypeLike, Generator, SizeLike
from ..wide import call_wide
from ._offset import OffsetBias


class Dynamic(OffsetBias):
    """Compute the bias with an MLP of the offset: bias[h, i, j] = pos3(pos2(pos1(pos_proj(Δ))))[h],
    Δ = query − key as plain numbers.

    pos_proj: Linear(2, hidden); pos1, pos2, pos3: LayerNorm – ReLU – Linear, the last to H. Names and
    layer-norm eps (1e-5) are the original's.

    hidden_features: width of the MLP (the original: a sixteenth of the model's width).
    residual: add the input of pos1 and of pos2 to their output.

    Prefix tokens: no bias. Sizes at call time: any.
    State: pos_proj, pos1.0, pos1.2, and so on. Init: Glorot, zero bias.
    Source: arXiv 2108.00154 §3.3. Used by CrossFormer.
    """

    bias_type = "dynamic"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        hidden_features: int = 16,
        residual: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        hidden_features = check_positive_int(hidden_features=hidden_features)
        check_bool(residual=residual)
        self.residual = residual
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        options: dict[str, Any] = {"dtype": self.dtype, "generator": self.generator}
        self.pos_proj = Linear(2, hidden_features, **options)
        self.pos1, self.pos2, self.pos3 = (
            Sequential(
                LayerNorm(hidden_features, eps=1e-5, dtype=self.dtype),
                ReLU(),
                Linear(hidden_features, width, **options),
            )
            for width in (hidden_features, hidden_features, num_heads)
        )

    def of_offsets(self, offsets: Tensor) -> Tensor:
        x = call_wide(self.pos_proj, offsets)
        for layer in (self.pos1, self.pos2):
            added = call_wide(layer, x)
            x = x + added if self.residual else added
        return call_wide(self.pos3, x)
