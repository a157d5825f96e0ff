"""Dynamic position bias along a sequence (x-transformers; after CrossFormer, arXiv 2108.00154)."""

import math
from typing import Any

import numpy as np

from ..checks import MOST_LAYERS, check_bool, check_positive_int
from ..nn import LayerNorm, Linear, Parameter, Sequential, SiLU
from ..random import uniform
from ..types import Array, DTypeLike, Generator, SizeLike
from ._offset import OffsetBias


class Dynamic1D(OffsetBias):
    """Compute the bias with an MLP of the offset in a sequence: bias[h, i, j] = MLP(x(i − j))[h].

    MLP: `depth` times Linear – [LayerNorm] – SiLU, then Linear to H. Names and sign are those of
    x-transformers' DynamicPositionBias.

    hidden_features: width of the MLP.
    depth: number of hidden layers.
    log_distance: x(Δ) = sign(Δ) log(1 + |Δ|) instead of Δ.
    norm: a layer norm after each hidden Linear.

    Prefix tokens: no bias. Sizes at call time: any, with q_offset.
    State: mlp.0 … mlp.depth. Init: Glorot, hidden biases from U(±1/√width) as PyTorch's: with zeros the
    row of Δ = 0 would be constant, and a layer norm multiplies its gradient by 1/√eps.
    Source: x-transformers; after CrossFormer, arXiv 2108.00154.
    """

    bias_type = "dynamic_1d"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        hidden_features: int = 16,
        depth: int = 2,
        log_distance: bool = False,
        norm: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        hidden_features = check_positive_int(hidden_features=hidden_features)
        depth = check_positive_int(MOST_LAYERS, depth=depth)
        check_bool(log_distance=log_distance, norm=norm)
        self.log_distance = log_distance
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        options: dict[str, Any] = {"dtype": self.dtype, "generator": self.generator}
        layers, width = [], 1
        for _ in range(depth):
            linear = Linear(width, hidden_features, **options)
            reach = 1 / math.sqrt(width)
            linear.bias = Parameter(
                uniform(self.generator, (hidden_features,), -reach, reach).astype(self.dtype)
            )
            norms = [LayerNorm(hidden_features, eps=1e-5, dtype=self.dtype)] if norm else []
            layers.append(Sequential([linear, *norms, SiLU()]))
            width = hidden_features
        self.mlp = Sequential([*layers, Linear(width, num_heads, **options)])

    def of_offsets(self, offsets: Array) -> Array:
        x = np.sign(offsets) * np.log1p(np.abs(offsets)) if self.log_distance else offsets
        return self.mlp(x.astype(self.dtype))

    def of_offsets_backward(self, dvalues: Array) -> None:
        self.mlp.backward(dvalues)
