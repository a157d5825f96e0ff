"""Steps of attention in a precision lower than they should have: what rounding does to each.

The errors of such a step depend on the order of operations, so only their size can be predicted. Each
class draws them at random. `precision` compares the spread of the draws with a kernel's errors.
"""

import numpy as np

from ..noise import Noise, in_blocks, in_tree, one_by_one
from .reference import Reference


class Imprecise(Noise, Reference):
    """A step in a lower precision."""


class InputsRounded(Imprecise):
    """the inputs are rounded to {dtype}"""

    def __init__(self, dout, q, k, v, table=None, **more):
        given = [x if x is None else self.nearest(x) for x in (dout, q, k, v, table)]
        super().__init__(*given, **more)


class ScoresRounded(Imprecise):
    """the scores are rounded to {dtype}"""

    def logits(self):
        return self.rounded(super().logits())


class ScoresSummed(Imprecise):
    """q kᵀ is accumulated in {dtype}"""

    def logits(self):
        off = self.product(self.q, self.k.swapaxes(-1, -2)) - self.q @ self.k.swapaxes(-1, -2)
        return super().logits() + self.product_factor() * off


class Exponentials(Imprecise):
    """the softmax's exp is computed in {dtype}"""

    def softmax(self, scores):
        exponents = self.rounded(scores - scores.max(-1, keepdims=True))
        powers = self.rounded(np.exp(exponents))
        return powers / powers.sum(-1, keepdims=True)


class SoftmaxSummed(Imprecise):
    """the softmax's sum is accumulated in {dtype}"""

    def softmax(self, scores):
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        return powers / self.added(powers)[..., None]


class WeightsRounded(Imprecise):
    """the softmax's weights P are rounded to {dtype}"""

    def softmax(self, scores):
        return self.rounded(super().softmax(scores))


class FactorsRounded(Imprecise):
    """the factors of every matrix product are rounded to {dtype}"""

    def logits(self):
        rounded = self.rounded(self.q) @ self.rounded(self.k).swapaxes(-1, -2)
        return super().logits() + self.product_factor() * (rounded - self.q @ self.k.swapaxes(-1, -2))

    def out(self):
        return self.rounded(self.weights) @ self.rounded(self.v)

    def dv(self):
        return self.rounded(self.weights).swapaxes(-1, -2) @ self.rounded(self.dout)

    def dweights(self):
        return self.rounded(self.dout) @ self.rounded(self.v).swapaxes(-1, -2)

    def dq(self):
        return self.product_factor_backward() * self.rounded(self.dscores) @ self.rounded(self.k)

    def dk(self):
        ds = self.rounded(self.dscores).swapaxes(-1, -2)
        return self.product_factor_backward() * ds @ self.rounded(self.q)


class DscoresRounded(Imprecise):
    """dS is rounded to {dtype} before dq, dk and dtable are made from it"""

    def softmax_backward(self, p, dp):
        return self.rounded(super().softmax_backward(p, dp))


class OutSummed(Imprecise):
    """out is accumulated in {dtype}"""

    def out(self):
        return self.product(self.weights, self.v)


class DqSummed(Imprecise):
    """dq is accumulated in {dtype}"""

    def dq(self):
        return self.product_factor_backward() * self.product(self.dscores, self.k)


class DkSummed(Imprecise):
    """dk is accumulated in {dtype}"""

    def dk(self):
        return self.product_factor_backward() * self.product(self.dscores.swapaxes(-1, -2), self.q)


class DvSummed(Imprecise):
    """dv is accumulated in {dtype}"""

    def dv(self):
        return self.product(self.weights.swapaxes(-1, -2), self.dout)


class ProductsSummed(OutSummed, DqSummed, DkSummed, DvSummed):
    """out, dq, dk and dv are accumulated in {dtype}"""


class DtableSummed(Imprecise):
    """dtable is accumulated in {dtype}"""

    order = "one pair after the other"
    squares_of_sums = staticmethod(one_by_one)

    def scatter(self, ds):
        total, squares = super().scatter(ds), super().scatter(np.square(ds))
        pairs = np.bincount(self.rows().ravel(), minlength=len(self.table))[:, None]
        return self.noisy(total, self.squares_of_sums(total, squares, len(ds) * pairs))


class DtableInBlocks(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "in blocks of √n of the n pairs"
    squares_of_sums = staticmethod(in_blocks)


class DtableInTree(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "as a tree"
    squares_of_sums = staticmethod(in_tree)


class DtableOverPairs(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "pair after pair, their sums over the batch"

    def scatter(self, ds):
        return super().scatter(ds.sum(0, keepdims=True))


class DtableOverSamples(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "sample after sample, their sums over the pairs"

    def scatter(self, ds):
        each = np.stack([Reference.scatter(self, one[None]) for one in ds])
        total, squares = each.sum(0), np.square(each).sum(0)
        return self.noisy(total, one_by_one(total, squares, len(ds)))


IMPRECISE = (
    *(ScoresRounded, ScoresSummed, Exponentials, SoftmaxSummed, WeightsRounded),
    *(FactorsRounded, DscoresRounded, ProductsSummed, OutSummed, DqSummed, DkSummed, DvSummed),
    *(DtableSummed, DtableInTree, DtableInBlocks, DtableOverPairs, DtableOverSamples),
)
