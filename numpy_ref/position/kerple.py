"""KERPLE: kernelized relative positional embedding (arXiv 2205.09921 §4)."""

from typing import Literal, get_args

import numpy as np

from ..checks import check_bool, check_choice
from ..dispatch import F
from ..nn import Parameter
from ..random import uniform
from ..types import Array, DTypeLike, Generator, SizeLike
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
        self.log_a = Parameter(
            np.log(uniform(self.generator, (num_heads,), 0.01, 1.0)).astype(self.dtype)
        )
        if kernel == "log":
            self.log_p = Parameter(np.log(p).astype(self.dtype))
        else:
            self.logit_p = Parameter(np.log(p / (2 - p)).astype(self.dtype))

    def of_offsets(self, offsets: Array) -> Array:
        distance = np.abs(offsets).astype(self.dtype)  # (R, 1)
        a = np.exp(self.log_a.data)
        if self.kernel == "log":
            p = np.exp(self.log_p.data)
            self._powers = distance, a, p
            return -p * np.log1p(a * distance)
        p = 2 * F.sigmoid_forward(self.logit_p.data)[0]
        self._powers = distance, a, p
        return -a * distance**p

    def of_offsets_backward(self, dvalues: Array) -> None:
        distance, a, p = self._powers
        if self.kernel == "log":
            grown = 1 + a * distance
            self.log_p.accumulate(-p * (dvalues * np.log1p(a * distance)).sum(0))
            self.log_a.accumulate(-a * p * (dvalues * distance / grown).sum(0))
            return
        powers = distance**p
        logs = np.log(np.maximum(distance, 1))  # at d = 0 the power is 0, whatever p
        self.log_a.accumulate(-a * (dvalues * powers).sum(0))
        self.logit_p.accumulate(-a * (dvalues * powers * logs).sum(0) * p * (1 - p / 2))
