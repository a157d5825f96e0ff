"""Known bugs of kernels that look the bias up: those of attention's lookup, and of a gradient alone."""

import numpy as np

from ..attention.backward_mistakes import DtableOverwritten, DtableSummedOverHeads
from ..attention.head_mistakes import ProgramDecoded
from ..attention.lookup_mistakes import LOOKUP
from ..attention.tile_mistakes import (
    SIZES,
    LastKeysLostInDtable,
    LastQueriesLostInDtable,
    of_size,
)
from ..one_way import in_backward, in_forward
from .reference import BiasReference

# out


class Negated(BiasReference):
    """the bias has the wrong sign"""

    def bias(self):
        return -super().bias()

    def scatter(self, ds):
        return -super().scatter(ds)


# dtable


class DtableOfFirstPair(BiasReference):
    """dtable is not summed: of all pairs of a row the first one counts"""

    def scatter(self, ds):
        total, pairs = self.table * 0, ds[0].transpose(1, 2, 0).reshape(-1, ds.shape[1])
        rows, first = np.unique(self.rows(), return_index=True)
        total[rows] = pairs[first]
        return total


class DtableOfMean(BiasReference):
    """dtable is the mean over the pairs of a row, not the sum"""

    def scatter(self, ds):
        counts = np.bincount(self.rows().ravel(), minlength=len(self.table))
        return super().scatter(ds) / np.maximum(counts, 1)[:, None]


class DtableMeanOfHeads(BiasReference):
    """dtable is the mean over the heads"""

    def scatter(self, ds):
        return super().scatter(ds).mean(1, keepdims=True) + self.table * 0


class DtableTwice(BiasReference):
    """dtable is twice as large: each pair is counted twice"""

    def scatter(self, ds):
        return 2 * super().scatter(ds)


class DtableOfSymmetricPairs(BiasReference):
    """dtable has the pairs (i, j) with j ≥ i only"""

    def scatter(self, ds):
        return super().scatter(np.triu(ds))


class DtableOfFirstRow(BiasReference):
    """dtable has the first query only"""

    def scatter(self, ds):
        return super().scatter(ds * (np.arange(ds.shape[2]) == 0)[:, None])


class DtableZero(BiasReference):
    """dtable is 0"""

    def scatter(self, ds):
        return self.table * 0


def of_bias(mistake):
    """Return attention's mistake as one of the lookup alone."""
    return type(mistake.__name__, (mistake, BiasReference), {"__doc__": mistake.__doc__})


def _both_ways(*mistakes):
    """Return the mistakes, and each in forward only and in backward only."""
    forward = (in_forward(mistake, BiasReference) for mistake in mistakes)
    exact = (mistake for mistake in mistakes if not hasattr(mistake, "fit"))  # a fit reads the output
    return (*mistakes, *forward, *(in_backward(mistake, BiasReference) for mistake in exact))


OF_LOOKUP = [mistake for mistake in LOOKUP if mistake is not ProgramDecoded]  # there is no batch

MISTAKES = (
    *_both_ways(*map(of_bias, OF_LOOKUP), Negated),
    *map(of_bias, (DtableOverwritten, DtableSummedOverHeads)),
    *(DtableOfFirstPair, DtableOfMean, DtableMeanOfHeads, DtableTwice, DtableOfSymmetricPairs),
    *(DtableOfFirstRow, DtableZero),
    *(
        of_bias(of_size(mistake, size))
        for mistake in (LastKeysLostInDtable, LastQueriesLostInDtable)
        for size in SIZES
    ),
)
