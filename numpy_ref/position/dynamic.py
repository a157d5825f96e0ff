"""Dynamic position bias of CrossFormer (arXiv 2108.00154 §3.3)."""

from typing import Any

from ..checks import check_bool, check_positive_int
from ..nn import LayerNorm, Linear, ReLU, Sequential
from ..types import Array, DTypeLike, Generator, SizeLike
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
                [
                    LayerNorm(hidden_features, eps=1e-5, dtype=self.dtype),
                    ReLU(),
                    Linear(hidden_features, width, **options),
                ]
            )
            for width in (hidden_features, hidden_features, num_heads)
        )

    def of_offsets(self, offsets: Array) -> Array:
        x = self.pos_proj(offsets.astype(self.dtype))
        for layer in (self.pos1, self.pos2):
            x = x + layer(x) if self.residual else layer(x)
        return self.pos3(x)

    def of_offsets_backward(self, dvalues: Array) -> None:
        dx = self.pos3.backward(dvalues)
        for layer in (self.pos2, self.pos1):
            dx = dx + layer.backward(dx) if self.residual else layer.backward(dx)
        self.pos_proj.backward(dx)
