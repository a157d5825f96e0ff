"""Shifted windows in small steps: which token of the map each token of a window is, and the reverse.

The steps work on the numbers of tokens. So a bug in a step is in the output and in its gradient.
"""

import numpy as np

NO_RESULT = np.empty(0)  # where a bug gives another number of tokens than there are


class Geometry:
    """The windows of a map. `size`, `window_size` and `shift_size` are (vertical, horizontal)."""

    size: tuple
    window_size: tuple
    shift_size: tuple

    def window(self):
        return self.window_size

    def padded_size(self):
        """The size of the map up to whole windows."""
        return tuple(-(-n // w) * w for n, w in zip(self.size, self.window(), strict=True))

    def padding(self):
        """The rows before and after the map, and the columns."""
        return tuple((0, p - n) for p, n in zip(self.padded_size(), self.size, strict=True))

    def shift(self):
        """How far the map is rolled along each axis: not at all along one with one window."""
        sizes = zip(self.padded_size(), self.window(), self.shift_size, strict=True)
        return tuple(s if padded > w else 0 for padded, w, s in sizes)

    direction = -1  # up and to the left

    def rolled(self, grid):
        """Roll (B, H̃, W̃)."""
        return np.roll(grid, tuple(self.direction * s for s in self.shift()), (1, 2))

    def blocks(self, grid):
        """(B, H̃, W̃) -> (B, H̃/wh, W̃/ww, wh, ww)"""
        (wh, ww), (height, width) = self.window(), grid.shape[1:]
        return grid.reshape(-1, height // wh, wh, width // ww, ww).transpose(0, 1, 3, 2, 4)

    def cut(self, grid):
        """(B, H̃, W̃) -> (B·nW, wh·ww)"""
        wh, ww = self.window()
        return self.blocks(grid).reshape(-1, wh * ww)


class Partition(Geometry):
    """windows = x padded, rolled and cut; dx puts dout back in place.

    x: (B, H, W, C); dout: (B·nW, wh·ww, C).
    """

    def __init__(self, dout, x, window_size, shift_size=(0, 0)):
        self.dout, self.x, self.size = dout, x, x.shape[1:3]
        self.window_size, self.shift_size = window_size, shift_size
        self.arguments = {"x": x, "window_size": window_size, "shift_size": shift_size}

    def result(self, name):
        """Return one of the results, "out" or "dx"."""
        return getattr(self, name)()

    def source(self):
        """The token of the map that each token of the windows is, −1 for padding: (B·nW, wh·ww)"""
        return self.cut(self.rolled(self.padded(self.tokens())))

    def tokens(self):
        return np.arange(np.prod(self.x.shape[:3])).reshape(self.x.shape[:3])

    def padded(self, grid):
        return np.pad(grid, ((0, 0), *self.padding()), constant_values=-1)

    def out(self):
        return gathered(self.x, self.source())

    def dx(self):
        return scattered(self.dout, self.source(), self.x.shape)


class Reverse(Geometry):
    """out = windows put together, rolled back and cut off, and the residual added to that.

    windows: (B·nW, wh·ww, C); residual, dout: (B, H, W, C).
    """

    direction = 1

    def __init__(self, dout, windows, size, window_size, shift_size=(0, 0), residual=None):
        self.dout, self.windows, self.size = dout, windows, size
        self.window_size, self.shift_size, self.residual = window_size, shift_size, residual
        self.arguments = {"windows": windows, "size": size, "window_size": window_size}
        self.arguments |= {"shift_size": shift_size, "residual": residual}

    def result(self, name):
        """Return one of the results, "out", "dwindows" or "dresidual"."""
        return getattr(self, name)()

    def source(self):
        """The token of the windows that each token of the map is: (B, H, W)"""
        return self.cropped(self.rolled(self.assembled()))

    def assembled(self):
        """The token of the windows that each token of the padded, rolled map is: (B, H̃, W̃)"""
        shape = (len(self.dout), *self.padded_size())
        grid = np.arange(np.prod(shape))
        grid[self.cut(grid.reshape(shape)).ravel()] = grid.copy()
        return grid.reshape(shape)

    def cropped(self, grid):
        (above, _), (before, _) = self.padding()
        height, width = self.size
        return grid[:, above : above + height, before : before + width]

    def residual_factor(self):
        return 1.0

    def added(self):
        """What is added to the map."""
        return 0.0 if self.residual is None else self.residual_factor() * self.residual

    def out(self):
        out = gathered(self.windows, self.source())
        return out if out is NO_RESULT else out + self.added()

    def dwindows(self):
        return scattered(self.dout, self.source(), self.windows.shape)

    def dresidual(self):
        return self.residual_factor() * self.dout


def gathered(x, source):
    """Return the tokens of x (…, C) with these numbers, 0 for −1."""
    tokens = np.append(x.reshape(-1, x.shape[-1]), np.zeros((1, x.shape[-1])), axis=0)
    return tokens[source] if source.max() < len(tokens) - 1 else NO_RESULT


def scattered(dout, source, shape):
    """Return the gradient of `gathered` for an x of this shape."""
    total = np.zeros((np.prod(shape[:-1]) + 1, shape[-1]))
    if source.shape != dout.shape[:-1] or source.max() >= len(total) - 1:
        return NO_RESULT
    np.add.at(total, source, dout)
    return total[:-1].reshape(shape)
