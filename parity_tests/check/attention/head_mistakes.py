"""Known bugs of the lookup table[index]: the wrong head."""

from copy import copy

import numpy as np

from .reference import Reference


class OfHeads(Reference):
    """A mistake of the heads; two of them at once are one."""

    family = "heads"


class HeadsReversed(OfHeads):
    """the heads of the table are in reverse order"""

    def bias(self):
        return 0.0 if self.table is None else super().bias()[::-1]

    def scatter(self, ds):
        return super().scatter(ds[:, ::-1])


class HeadsShifted(OfHeads):
    """each head reads the table's column of the next head"""

    def bias(self):
        return 0.0 if self.table is None else np.roll(super().bias(), -1, 0)

    def scatter(self, ds):
        return super().scatter(np.roll(ds, 1, 1))


class FirstHeadForAll(OfHeads):
    """all heads read the table's first column"""

    def bias(self):
        return 0.0 if self.table is None else super().bias()[:1]

    def scatter(self, ds):
        total = super().scatter(ds)
        return np.where(np.arange(total.shape[1]) == 0, total.sum(1, keepdims=True), 0)


class HeadsPermuted(OfHeads):
    """the heads of the table are permuted: each head reads the table's column of another head"""

    columns = None

    def columns_read(self):
        """Return the column of each head: those that were fitted, or with the first two swapped."""
        heads = np.arange(self.table.shape[1])
        return np.r_[heads[:2][::-1], heads[2:]] if self.columns is None else self.columns

    def fit(self, results):
        """Take the column of each head that gives its output best, if they make a permutation."""
        if self.table is None or "out" not in results:
            return
        heads, off = np.arange(self.table.shape[1]), []
        for column in heads:
            alone = copy(self)
            alone.columns = heads * 0 + column
            off.append(np.abs(alone.result("out") - results["out"]))
        heads_last = np.moveaxis(off, -3, -1)
        off = heads_last.max(tuple(range(1, heads_last.ndim - 1)))  # (column, head)
        columns = np.argmin(np.nan_to_num(off, nan=np.inf), 0)
        self.columns = columns if np.array_equal(np.sort(columns), heads) else heads

    def bias(self):
        return 0.0 if self.table is None else super().bias()[self.columns_read()]

    def scatter(self, ds):
        return super().scatter(ds[:, np.argsort(self.columns_read())])


class TableTransposed(OfHeads):
    """the table (R, H) is read as if its memory were (H, R)"""

    def bias(self):
        if self.table is None:
            return 0.0
        return self.table.reshape(self.table.shape[::-1])[:, self.rows()]

    def scatter(self, ds):
        total = super().scatter(ds)
        return np.ascontiguousarray(total.T).reshape(total.shape)


class BiasNotPermuted(OfHeads):
    """the bias (Lq, Lk, H) is read as if its memory were (H, Lq, Lk): its axes are not permuted"""

    def bias(self):
        if self.table is None:
            return 0.0
        bias = self.table[self.rows()]
        return bias.reshape(bias.shape[-1], *bias.shape[:-1])

    def scatter(self, ds):
        of_memory = ds.reshape(len(ds), *ds.shape[2:], ds.shape[1])
        return super().scatter(of_memory.transpose(0, 3, 1, 2))


class ProgramDecoded(OfHeads):
    """sample and head of program b · H + h are taken as its rest and quotient by B, not by H"""

    def decoded(self):
        """Return the sample and the head that each (b, h) takes: (B, H) both"""
        batch, heads = self.q.shape[:2]
        program = np.arange(batch * heads).reshape(batch, heads)
        return program % batch, program // batch

    def bias(self):
        return 0.0 if self.table is None else super().bias()[self.decoded()[1]]

    def mask_of_batch(self):
        if self.mask is None or self.mask.ndim < 4:
            return self.mask
        return self.mask[self.decoded()[0] % len(self.mask), 0]

    def scatter(self, ds):
        total = np.zeros_like(self.table)
        for of_pairs, head in zip(ds.reshape(-1, *ds.shape[2:]), self.decoded()[1].ravel(), strict=True):
            np.add.at(total[:, head], self.rows(), of_pairs)
        return total


HEADS = (
    *(HeadsReversed, HeadsShifted, HeadsPermuted, FirstHeadForAll, TableTransposed),
    *(BiasNotPermuted, ProgramDecoded),
)
