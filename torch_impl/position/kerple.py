"""KERPLE: kernelized relative positional embedding (arXiv 2205.09921 §4)."""

from typing import Literal, get_args

import torch
from torch import Tensor

from ..checks import check_bool, check_choice
from ..nn import Parameter
from ..random import uniform
from ..types import DTypeLike, Generator, SizeLike
from ..wide import wide
from ._offset import OffsetBias

Kernel = Literal["log", "power"]


class KERPLE(OffsetBias):
    """log: bias[h, i, j] = −p_h · log(1 + a_h |i − j|);  power: −a_h · |i − j|^(p_h).

    The paper's r₁, r₂ are p, a (log) and a, p (power), positive, and p ≤ 2 in the power form. Here
    a = exp(log_a), p = exp(log_p) (log) and p = 2σ(logit_p) (power), each (num_heads,): the original
    clamps its stored values in place instead.
    Init: p from U(0.01, 1.99), a from U(0.01, 1) (the original: U(0, 2), U(0, 1)). Prefix tokens and
    causal as "alibi". Any sizes and q_offset at call time. Used in its authors' GPT-NeoX models.
    """

    bias_type = "kerple"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        kernel: Kernel = "log",
        causal: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_choice("kernel", kernel, get_args(Kernel))
        check_bool(causal=causal)
        self.kernel, self.causal = kernel, causal
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        p = uniform(self.generator, (num_heads,), 0.01, 1.99)
        self.log_a = Parameter(uniform(self.generator, (num_heads,), 0.01, 1.0).log().to(self.dtype))
        if kernel == "log":
            self.log_p = Parameter(p.log().to(self.dtype))
        else:
            self.logit_p = Parameter((p / (2 - p)).log().to(self.dtype))

    def of_offsets(self, offsets: Tensor) -> Tensor:
        a = wide(self.log_a).exp()
        distance = offsets.abs().to(a.dtype)  # (R, 1)
        if self.kernel == "log":
            return -wide(self.log_p).exp() * torch.log(1 + a * distance)
        return -a * distance ** (2 * torch.sigmoid(wide(self.logit_p)))
