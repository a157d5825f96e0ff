"""The mask of shifted windows in small steps: labels of the rolled map, cut into windows, compared.

The labels are Swin's own: three pieces along each axis, one label for each pair of pieces.
"""

import numpy as np

from ..windows.reference import Geometry


class ShiftMask(Geometry):
    """0 for two tokens of a window with the same label, −100 for others: (nW, wh·ww, wh·ww)"""

    masked = -100.0
    kept = 0.0

    def __init__(self, dout, size, window_size, shift_size=(0, 0)):
        self.dout, self.size, self.window_size, self.shift_size = dout, size, window_size, shift_size

    def result(self, name):
        """Return the result, "out"."""
        return getattr(self, name)()

    def out(self):
        labels = self.cut(self.labels()[None])
        return np.where(self.same(labels), self.kept, self.masked)

    def same(self, labels):
        """Return which pairs of the tokens of a window attend to each other."""
        return labels[:, :, None] == labels[:, None, :]

    def labels(self):
        """The label of each token of the rolled map: (H̃, W̃)"""
        axes = zip(self.padded_size(), self.window(), self.shift(), strict=True)
        rows, columns = (self.pieces(*axis) for axis in axes)
        return self.label(rows[:, None], columns)

    def label(self, row, column):
        return 3 * row + column

    def pieces(self, length, window, shift):
        """0 before the last windows, 1 in them, and 2 for what the roll brought there: (length,)"""
        places = np.arange(length)
        return (places >= length - window).astype(int) + (places >= length - shift)
