"""The lookup of a bias: the steps of `attention.Reference` that look the table up, alone."""

import numpy as np

from ..attention.reference import Reference


class BiasReference(Reference):
    """out[h, i, j] = table[index[i, j], h], and dtable[r, h] = Σ dout[h, i, j] over index[i, j] = r.

    dout: (H, Lq, Lk); table: (R, H); index: (Lq, Lk).
    grids: `Grids` that the index comes from, or None for an index of any other kind.
    """

    def __init__(self, dout, table, index, grids=None):
        self.dout, self.table, self.index, self.grids = dout, table, index, grids
        self.arguments = {"table": table, "index": index, "grids": grids}

    def results(self):
        """Return {"out", "dtable"}."""
        return {name: self.result(name) for name in ("out", "dtable")}

    def out(self):
        return np.broadcast_to(self.bias(), self.dout.shape)

    def dtable(self):
        return self.scatter(self.dout[None])
