"""Attention with relative position bias in small steps, each of which a mistake can replace.

This is the definition once more, in float64 and without a cache. `mistakes` has a class per known bug
that overrides the steps the bug changes. Their results are what a kernel with that bug computes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Grids:
    """Where an index comes from: the grids of the queries and of the keys, and the prefix tokens.

    The table has a row for each offset, row-major, and after these, if there are prefix tokens, one each
    for prefix→token, token→prefix and prefix→prefix (query→key).
    """

    queries: tuple
    keys: tuple
    prefix: int = 0


class Reference:
    """out = P v,  P = softmax(scale · q kᵀ + table[index] + mask), and the gradients for one `dout`.

    q: (B, H, Lq, d); k: (B, H, Lk, d); v: (B, H, Lk, dv).
    table: (R, H), index: (Lq, Lk), or both None.
    mask: None, or what broadcasts to (B, H, Lq, Lk), or (nW, 1, Lq, Lk): b uses mask[b mod nW].
    scale: a number, 1/√d for None.
    grids: `Grids` that the index comes from, or None for an index of any other kind.
    range_of: the dtype in which exp overflows, where a mistake lets it.
    """

    def __init__(
        self,
        dout,
        q,
        k,
        v,
        table=None,
        index=None,
        mask=None,
        scale=None,
        grids=None,
        range_of="float32",
    ):
        self.dout, self.q, self.k, self.v = dout, q, k, v
        self.table, self.index, self.mask, self.grids = table, index, mask, grids
        self.scale = 1 / np.sqrt(q.shape[-1]) if scale is None else scale
        self.range_of = range_of

    def results(self):
        """Return {"out", "dq", "dk", "dv"[, "dtable"]}."""
        names = ("out", "dq", "dk", "dv", *(() if self.table is None else ("dtable",)))
        return {name: self.result(name) for name in names}

    def result(self, name):
        """Return one of the results."""
        with np.errstate(all="ignore"):
            return getattr(self, name)()

    # factors; backward's are those of forward, unless a bug is in one of the two only

    def product_factor(self):
        """What q kᵀ is multiplied by."""
        return self.scale

    def bias_factor(self):
        """What the bias is multiplied by."""
        return 1.0

    def product_factor_backward(self):
        return self.product_factor()

    def bias_factor_backward(self):
        return self.bias_factor()

    # forward

    @cached_property
    def weights(self):
        return self.softmax(self.masked(self.logits()))

    def rows(self):
        """The row of the table that each pair reads: (Lq, Lk)"""
        return self.index

    def bias(self):
        """table[index] as (H, Lq, Lk), or 0"""
        return 0.0 if self.table is None else self.table[self.rows()].transpose(2, 0, 1)

    def logits(self):
        products = self.q @ self.k.swapaxes(-1, -2)
        return self.product_factor() * products + self.bias_factor() * self.bias()

    def mask_of_batch(self):
        """The mask of each element of the batch: (B or 1, 1 or H, Lq, Lk)"""
        if self.mask is None or self.mask.ndim < 4:
            return self.mask
        return self.mask[np.arange(len(self.q)) % len(self.mask)]

    def masked(self, logits):
        mask = self.mask_of_batch()
        return logits if mask is None else logits + mask

    softmax_axis = -1

    def softmax(self, scores):
        powers = np.exp(scores - scores.max(self.softmax_axis, keepdims=True))
        return powers / powers.sum(self.softmax_axis, keepdims=True)

    def out(self):
        return self.weights @ self.v

    # backward

    def dv(self):
        return self.weights.swapaxes(-1, -2) @ self.dout

    @cached_property
    def dscores(self):
        """dS: (B, H, Lq, Lk)"""
        return self.softmax_backward(self.weights, self.dweights())

    def dweights(self):
        return self.dout @ self.v.swapaxes(-1, -2)

    def softmax_backward(self, p, dp):
        """P ∘ (dP − Σ_j P dP)"""
        return p * (dp - (p * dp).sum(self.softmax_axis, keepdims=True))

    def dq(self):
        return self.product_factor_backward() * self.dscores @ self.k

    def dk(self):
        return self.product_factor_backward() * self.dscores.swapaxes(-1, -2) @ self.q

    def dtable(self):
        return self.bias_factor_backward() * self.scatter(self.dscores)

    def scatter(self, ds):
        """Return the sum over b and over the pairs of each row r of dS: (R, H)"""
        total = np.zeros_like(self.table)
        np.add.at(total, self.rows(), ds.sum(0).transpose(1, 2, 0))
        return total
