"""Right kernels of attention in PyTorch, made in different ways, each judged by `check.soundness`.

`right_numpy_kernels_to_check` has those in NumPy; `MAKES` has all.
"""

import torch
from torch.nn import functional

from . import right_numpy_kernels_to_check
from .imprecise_kernels_to_check import Attention, OfClass


class InFloat64(Attention):
    """All of it in float64."""

    def prepare(self, x):
        return x.double()


class InOwnDtype(Attention):
    """Each step in the inputs' dtype, as PyTorch rounds it; dtable is added up in float32 or wider."""

    def prepare(self, x):
        return x

    def scatter(self, ds):
        wide = torch.promote_types(ds.dtype, torch.float32)
        total = torch.zeros(self.table.shape, dtype=wide)
        return total.index_add(0, self.index.flatten(), ds.to(wide).sum(0).flatten(1).T)


class InTiles(Attention):
    """Tiles of keys with an online softmax, the last tile shorter; dtable tile by tile.

    As FlashAttention: backward computes P anew, and Σ P dP as the sum of dout · out. It keeps the
    largest score and the log of the sum apart; `InTilesOfLse` keeps their sum.
    """

    size = 16

    def softmax(self, scores):
        largest = torch.full_like(scores[..., :1], -torch.inf)
        total = torch.zeros_like(largest)
        for tile in scores.split(self.size, -1):
            new = torch.maximum(largest, tile.amax(-1, keepdim=True))
            base = new.masked_fill(new == -torch.inf, 0)  # while −∞ masks all keys so far
            total = total * (largest - base).exp() + (tile - base).exp().sum(-1, keepdim=True)
            largest = new
        self.kept = largest, total.log()
        return (scores - largest).exp() / total

    def probabilities(self):
        largest, log_sum = self.kept
        return (self.scores() - largest - log_sum).exp()

    def results(self):
        self.result = self.out()
        self.weights = self.probabilities()
        return super().results()

    def delta(self, dp):
        return (self.dout * self.result).sum(-1, keepdim=True)

    def product(self, name, a, b):
        tiles = zip(a.split(self.size, -1), b.split(self.size, -2), strict=True)
        return sum(x @ y for x, y in tiles)

    def scatter(self, ds):
        total = torch.zeros_like(self.table)
        for tile, index in zip(ds.split(self.size, -2), self.index.split(self.size), strict=True):
            for sample in tile.flip(0):
                total = total.index_add(0, index.flatten(), sample.flatten(1).T)
        return total


class InTilesOfLse(InTiles):
    """The same with P = exp(s − lse): a rounding error of the score more, which is over the budget."""

    def probabilities(self):
        return (self.scores() - sum(self.kept)).exp()


class Sdpa(Attention):
    """PyTorch's scaled_dot_product_attention in the inputs' dtype, and autograd.

    The bias is gathered from the table in float32 or wider: the gradient of indexing a bfloat16 table is
    added up in bfloat16, which is over the budget.
    """

    def prepare(self, x):
        return x.clone().requires_grad_()

    def softmax(self, scores):
        return scores

    def scores(self):
        return None

    def out(self):
        bias = None
        if self.table is not None:
            wide = self.table.to(torch.promote_types(self.table.dtype, torch.float32))
            bias = wide[self.index].permute(2, 0, 1)[None].to(self.q.dtype)
        if self.mask is not None:
            mask = self.mask.detach()
            mask = mask.repeat(len(self.q) // len(mask), 1, 1, 1) if mask.dim() == 4 else mask
            bias = mask if bias is None else bias + mask
        return functional.scaled_dot_product_attention(
            self.q, self.k, self.v, attn_mask=bias, scale=self.scale
        )

    def results(self):
        named = {"dq": self.q, "dk": self.k, "dv": self.v}
        named |= {} if self.table is None else {"dtable": self.table}
        grads = torch.autograd.grad(self.out(), [*named.values()], self.dout.detach())
        return dict(zip(named, grads, strict=True))


MAKES = {
    "float32 inside": OfClass(Attention),
    "float64 inside": OfClass(InFloat64),
    "the inputs' dtype": OfClass(InOwnDtype),
    "tiles, online softmax": OfClass(InTiles),
    "PyTorch's sdpa": OfClass(Sdpa),
    **right_numpy_kernels_to_check.MAKES,
}
