"""Known bugs of backward: dS, and the sums of it."""

import numpy as np

from .reference import Reference


class NoDelta(Reference):
    """Σ_j P dP is missing in dS = P ∘ (dP − Σ_j P dP)"""

    def softmax_backward(self, p, dp):
        return p * dp


class DeltaWithoutWeights(Reference):
    """dS subtracts the sum of dP, not that of P dP"""

    def softmax_backward(self, p, dp):
        return p * (dp - dp.sum(-1, keepdims=True))


class DqWithoutScale(Reference):
    """dq lacks the scale"""

    def dq(self):
        return self.dscores @ self.k


class DkWithoutScale(Reference):
    """dk lacks the scale"""

    def dk(self):
        return self.dscores.swapaxes(-1, -2) @ self.q


class DqWithScaleTwice(Reference):
    """dq has the scale twice"""

    def dq(self):
        return self.scale * super().dq()


class DkWithScaleTwice(Reference):
    """dk has the scale twice"""

    def dk(self):
        return self.scale * super().dk()


class DqDkSwapped(Reference):
    """dq and dk are swapped"""

    def dq(self):
        return super().dk()

    def dk(self):
        return super().dq()


class DvOverQueries(Reference):
    """dv sums over the wrong axis: P dout for Pᵀ dout"""

    def dv(self):
        square = self.q.shape[2] == self.k.shape[2]
        return self.weights @ self.dout if square else super().dv()


class DtableWithScale(Reference):
    """dtable is multiplied by the scale"""

    def dtable(self):
        return self.scale * super().dtable()


class DtableOverwritten(Reference):
    """dtable is overwritten, not summed: of all pairs of a row the last one counts"""

    def scatter(self, ds):
        total = self.table * 0
        total[self.rows()] = ds.sum(0).transpose(1, 2, 0)
        return total


class DtableOfOnePair(DtableOverwritten):
    """dtable is overwritten, not summed: of all pairs of a row one counts"""

    fitted = None

    def fit(self, results):
        self.fitted = results.get("dtable")

    def scatter(self, ds):
        """Return for each row and head the dS, of a sample or of all, that is next to the result."""
        if self.fitted is None:
            return super().scatter(ds[:1])
        found, rows = self.table * 0, self.rows()
        ds = np.concatenate([ds, ds.sum(0, keepdims=True)])
        for row in np.unique(rows):
            of_pairs = ds[..., rows == row].swapaxes(1, 2).reshape(-1, found.shape[1])
            nearest = np.abs(of_pairs - self.fitted[row]).argmin(0)
            found[row] = np.take_along_axis(of_pairs, nearest[None], 0)[0]
        return found


class DtableStored(DtableOverwritten):
    """dtable is overwritten, not summed: of all pairs and samples of a row the last one counts"""

    def scatter(self, ds):
        return super().scatter(ds[-1:])


class DtableOfLastSample(Reference):
    """dtable is overwritten by each sample: only the last one of the batch counts"""

    def scatter(self, ds):
        return super().scatter(ds[-1:])


class DtableOfFirstSample(Reference):
    """dtable has the first sample only"""

    def scatter(self, ds):
        return super().scatter(ds[:1])


class DtableSummedOverHeads(Reference):
    """dtable is summed over the heads"""

    def dtable(self):
        return super().dtable().sum(1, keepdims=True) + self.table * 0


class DtableAveraged(Reference):
    """dtable is the mean over the batch, not the sum"""

    def dtable(self):
        return super().dtable() / len(self.q)


BACKWARD = (
    *(NoDelta, DeltaWithoutWeights, DqWithoutScale, DkWithoutScale, DqWithScaleTwice),
    *(
        DkWithScaleTwice,
        DqDkSwapped,
        DvOverQueries,
        DtableWithScale,
        DtableOverwritten,
        DtableStored,
        DtableOfOnePair,
    ),
    *(DtableOfLastSample, DtableOfFirstSample, DtableSummedOverHeads, DtableAveraged),
)
