"""Known bugs of kernels that work in tiles: a last tile that is lost, or padding that takes part."""

import numpy as np

from .reference import Reference

SIZES = (4, 8, 16, 32, 64, 128)  # of tiles


class Tiled(Reference):
    """A mistake at the end of a tiled axis."""

    size: int

    def whole(self, length):
        """Return the length up to the last whole tile, or all of it where no tile is whole."""
        return length - length % self.size or length


class LastKeysLost(Tiled):
    """the last tile of keys is lost where the tiles of {size} do not divide their number"""

    def softmax(self, scores):
        kept = np.arange(scores.shape[-1]) < self.whole(scores.shape[-1])
        return super().softmax(np.where(kept, scores, -np.inf))


class LastKeysLostInDtable(Tiled):
    """dtable lacks the last tile of keys where the tiles of {size} do not divide their number"""

    def scatter(self, ds):
        kept = np.arange(ds.shape[-1]) < self.whole(ds.shape[-1])
        return super().scatter(ds * kept)


class LastQueriesLostInDtable(Tiled):
    """dtable lacks the last tile of queries where the tiles of {size} do not divide their number"""

    def scatter(self, ds):
        kept = np.arange(ds.shape[-2]) < self.whole(ds.shape[-2])
        return super().scatter(ds * kept[:, None])


class LastQueriesLost(Tiled):
    """dk and dv lack the last tile of queries where the tiles of {size} do not divide their number"""

    def dk(self):
        end = self.whole(self.q.shape[-2])
        ds = self.product_factor_backward() * self.dscores[..., :end, :]
        return ds.swapaxes(-1, -2) @ self.q[..., :end, :]

    def dv(self):
        end = self.whole(self.q.shape[-2])
        return self.weights[..., :end, :].swapaxes(-1, -2) @ self.dout[..., :end, :]


class PaddingNotMasked(Tiled):
    """padding takes part in the softmax: keys of score 0 fill the last tile of {size}"""

    def softmax(self, scores):
        more = -scores.shape[-1] % self.size
        padded = np.concatenate([scores, np.zeros((*scores.shape[:-1], more))], -1)
        return super().softmax(padded)[..., : scores.shape[-1]]


def of_size(mistake, size):
    """Return the mistake for tiles of this size."""
    text = mistake.__doc__.format(size=size)
    return type(f"{mistake.__name__}{size}", (mistake,), {"size": size, "__doc__": text})


TILES = tuple(
    of_size(mistake, size)
    for mistake in (
        LastKeysLost,
        LastKeysLostInDtable,
        LastQueriesLostInDtable,
        LastQueriesLost,
        PaddingNotMasked,
    )
    for size in SIZES
)
