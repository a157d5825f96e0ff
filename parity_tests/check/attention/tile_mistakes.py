"""Known bugs of kernels that work in tiles: a last tile that is lost, or padding that takes part."""

import numpy as np

from .one_way_mistakes import Recomputed
from .reference import Reference

SIZES = (4, 8, 16, 24, 32, 48, 64, 96, 128)  # of tiles


class Tiled(Reference):
    """A mistake at the end of a tiled axis."""

    size: int
    short = True  # whether a length below a tile is handled

    def whole(self, length):
        """Return the length up to the last whole tile; all of it or none where no tile is whole."""
        return length - length % self.size or (length if self.short else 0)


class LastKeysLost(Tiled):
    """the last tile of keys is lost where the tiles of {size} do not divide their number"""

    def softmax(self, scores):
        kept = np.arange(scores.shape[-1]) < self.whole(scores.shape[-1])
        return super().softmax(np.where(kept, scores, -np.inf)) if kept.any() else np.zeros_like(scores)


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


class FirstTileMasked(Tiled):
    """a row is NaN if −∞ masks its first tile of {size} keys: the running maximum is −∞ in −∞ − (−∞)"""

    def softmax(self, scores):
        whole = scores[..., : self.size].max(-1, keepdims=True) == -np.inf
        return np.where(whole, np.nan, super().softmax(scores))


class NotRescaled(Tiled, Recomputed):
    """the output is not rescaled where a later tile of {size} keys raises the maximum"""

    def out(self):
        powers, largest = self.powers_of_tiles()
        return powers @ self.v / np.exp(self.scores() - largest).sum(-1, keepdims=True)

    def powers_of_tiles(self):
        """exp(score − the largest one so far), with the tile of the key; and the largest of all"""
        scores = self.scores()
        so_far = np.maximum.accumulate(scores, -1)
        ends = np.arange(scores.shape[-1]) // self.size * self.size + self.size - 1
        of_tile = so_far[..., ends.clip(max=scores.shape[-1] - 1)]
        return np.where(np.isinf(scores), 0.0, np.exp(scores - of_tile)), so_far[..., -1:]


class SumNotRescaled(NotRescaled):
    """the softmax's sum is not rescaled where a later tile of {size} keys raises the maximum"""

    def kept_of_softmax(self):
        powers, largest = self.powers_of_tiles()
        return largest, np.log(powers.sum(-1, keepdims=True))

    def out(self):
        largest, log_sum = self.kept_of_softmax()
        return np.exp(self.scores() - largest - log_sum) @ self.v


class ScaleGrows(Tiled, Recomputed):
    """forward multiplies the scale by log₂ e once more in each further tile of {size} keys"""

    # github.com/flagos-ai/FlagGems/pull/424

    again = False

    def product_factor(self):
        tile = np.arange(self.k.shape[-2]) // self.size
        return self.scale * (1.0 if self.again else np.log2(np.e) ** tile)

    def product_factor_backward(self):
        return self.scale

    def scores_again(self):
        self.again = True
        scores = self.scores()
        self.again = False
        return scores


LOST = (LastKeysLost, LastKeysLostInDtable, LastQueriesLost, LastQueriesLostInDtable)
# {size: another that no case tells from it}
UNTOLD = {
    LastQueriesLost: {24: 48, 64: 96},
    LastQueriesLostInDtable: {24: 48, 64: 96},
}


def of_size(mistake, size, short=True):
    """Return the mistake for tiles of this size."""
    other = UNTOLD.get(mistake, {}).get(size)
    text = mistake.__doc__.format(size=f"{size} or {other}" if other else size)
    name = f"{mistake.__name__}{size}{'' if short else 'All'}"
    return type(name, (mistake,), {"size": size, "short": short, "__doc__": text, "family": mistake})


TILES = tuple(
    of_size(mistake, size, short)
    for mistake in (*LOST, PaddingNotMasked, FirstTileMasked, NotRescaled, SumNotRescaled, ScaleGrows)
    for size in SIZES
    for short in ((True, False) if mistake in LOST else (True,))
    if size not in UNTOLD.get(mistake, {}).values()
)
