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
    """Penalise distance with a learned kernel, "log" or "power":
    bias[h, i, j] = −p_h · log(1 + a_h |i − j|)  or  −a_h · |i − j|^(p_h).

    a and p are positive, and p ≤ 2 in the power form. The paper's r₁, r₂ are p, a (log) and a, p
    (power). Here a = exp(log_a), and p = exp(log_p) (log) or 2 σ(logit_p) (power); the original clamps
    the values it stores in place.

    kernel: "log" or "power".
    causal: keys after the query get −inf.

    Gradients, with s[r] = dtable[r, h] and d_r = |Δ_r|:
    log:   dlog_p = −p Σ s log(1 + a d),  dlog_a = −a p Σ s d / (1 + a d)
    power: dlog_a = −a Σ s d^p,  dlogit_p = −a Σ s d^p ln d · p (1 − p/2)
    Prefix tokens: no bias; if causal, they do not see the other tokens. Sizes at call time: any, with
    q_offset.
    State: log_a and log_p or logit_p, (H,) each. Init: p from U(0.01, 1.99), a from U(0.01, 1) (the
    original: U(0, 2), U(0, 1)).
    Source: arXiv 2205.09921 §4. Used in its authors' GPT-NeoX models.
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
