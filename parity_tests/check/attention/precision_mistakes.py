"""Steps of attention in a precision lower than they should have.

The errors of such a step depend on the order of operations, so only their size can be predicted. Each
class gives possible results, others for each `rounding`. `precision` compares them with a kernel's.
"""

import math

import numpy as np

from ..noise import Noise
from .reference import Reference


class Imprecise(Noise, Reference):
    """A step in a lower precision; order: that of its sums, in words."""

    order: str | None = None


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
        return powers / self.one_by_one(self.shuffled(np.moveaxis(powers, -1, 0)))[..., None]


class WeightsRounded(Imprecise):
    """the softmax's weights P are rounded to {dtype}"""

    def softmax(self, scores):
        return self.rounded(super().softmax(scores))


class FactorsRounded(Imprecise):
    """the inputs, or the factors of every matrix product, are rounded to {dtype}"""

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


class OutRounded(Imprecise):
    """out is rounded to {dtype}, and backward takes Σ P dP = dout · out from it"""

    def out(self):
        return self.rounded(super().out())

    def softmax_backward(self, p, dp):
        return p * (dp - (self.dout * self.out()).sum(-1, keepdims=True))


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

    order = "in a random order, as atomic additions do"

    def scatter(self, ds):
        return self.total(self.shuffled(terms_of_rows(ds, self.rows(), len(self.table))))

    def total(self, terms):
        """Return the sums over the first axis of what is added up for each row: (R, H)"""
        return self.one_by_one(terms)


class DtableInOrder(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "in the order of batch, query and key"

    def shuffled(self, terms):
        return terms


class DtableInBlocks(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "in blocks of √n of the n pairs"

    def total(self, terms):
        size = math.isqrt(len(terms))
        whole = np.pad(terms, [(0, -len(terms) % size), (0, 0), (0, 0)])
        return self.one_by_one(self.one_by_one(whole.reshape(size, -1, *terms.shape[1:])))


class DtableInTree(DtableSummed):
    __doc__ = DtableSummed.__doc__
    order = "as a tree"

    def total(self, terms):
        return self.in_tree(terms)


class DtableOverPairs(DtableInOrder):
    __doc__ = DtableSummed.__doc__
    order = "pair after pair, each summed over the batch before"

    def scatter(self, ds):
        return super().scatter(ds.sum(0, keepdims=True))


class DtableOverSamples(DtableInOrder):
    __doc__ = DtableSummed.__doc__
    order = "sample after sample, each summed over the pairs before"

    def scatter(self, ds):
        return self.total(np.stack([Reference.scatter(self, one[None]) for one in ds]))


class Everything(ScoresSummed, Exponentials, DscoresRounded, ProductsSummed, DtableSummed):
    """everything is computed in {dtype}"""

    order = None

    def __init__(self, dout, q, k, v, table=None, **more):
        given = [x if x is None else self.nearest(x) for x in (dout, q, k, v, table)]
        super().__init__(*given, **more)


def terms_of_rows(ds, index, rows):
    """Return the elements of dS (B, H, Lq, Lk) of each of the table's rows, padded with 0: (n, R, H)"""
    row = np.tile(index.ravel(), len(ds))
    order = np.argsort(row, kind="stable")
    counts = np.bincount(row, minlength=rows)
    rank = np.arange(len(row)) - (np.cumsum(counts) - counts)[row[order]]
    terms = np.zeros((counts.max(), rows, ds.shape[1]))
    terms[rank, row[order]] = ds.transpose(0, 2, 3, 1).reshape(len(row), -1)[order]
    return terms


IMPRECISE = (
    *(ScoresRounded, ScoresSummed, Exponentials, SoftmaxSummed, WeightsRounded, DscoresRounded),
    *(FactorsRounded, ProductsSummed, OutSummed, OutRounded, DqSummed, DkSummed),
    *(DvSummed, Everything),
    *(DtableSummed, DtableInOrder, DtableInBlocks, DtableInTree, DtableOverPairs, DtableOverSamples),
)
