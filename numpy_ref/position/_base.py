"""What every static scheme is: a table and an index (arXiv 2103.14030, eq. 4)."""

import math

import numpy as np

from ..checks import as_dtype, as_sizes, check_natural, check_positive_int
from ..dispatch import F
from ..nn import Module
from ..random import as_generator


class PositionBias(Module):
    """bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size)`, `table(...)` and `table_backward(dtable)`.
    `num_prefix_tokens` tokens (class token, registers) stand before the window in the sequence.
    """

    bias_type = None
    window_ndim = 1

    def __init__(self, num_heads, window_size, init_std, num_prefix_tokens, dtype, generator):
        check_positive_int(num_heads=num_heads)
        check_natural(num_prefix_tokens=num_prefix_tokens)
        if not 0 <= init_std < math.inf:
            raise ValueError(f"init_std is {init_std!r}, expected a number of at least 0")
        self.num_heads = num_heads
        self.window_size = self.as_window("window_size", window_size)
        self.init_std = init_std
        self.num_prefix_tokens = num_prefix_tokens
        self.dtype = as_dtype(dtype)
        self.generator = as_generator(generator)
        self.index = self.make_index(self.window_size, self.window_size)

    @property
    def num_tokens(self):
        """Length of the sequence the scheme was built for, prefix tokens included."""
        return self.num_prefix_tokens + int(np.prod(self.window_size))

    def make_index(self, q_size, k_size):
        """Integer geometry: (P + Lq, P + Lk) rows of the table, P = num_prefix_tokens."""
        raise NotImplementedError

    def table(self, q_size=None, k_size=None):
        """(R, num_heads); the sizes matter only to a scheme whose rows depend on the length."""
        raise NotImplementedError

    def table_backward(self, dtable):
        """Add the gradient of `table()` to the parameters behind it."""
        raise NotImplementedError

    def lookup(self, q_size=None, k_size=None):
        """(table, index) for the given sizes, prefix tokens not counted; the window's by default."""
        q_size, k_size = self.check_size("q_size", q_size), self.check_size("k_size", k_size)
        if q_size == k_size == self.window_size:
            return self.table(), self.index
        return self.table(q_size, k_size), self.make_index(q_size, k_size)

    def lookup_tokens(self, num_tokens):
        """(table, index) for a sequence of `num_tokens`, prefix tokens included."""
        if num_tokens == self.num_tokens:
            return self.lookup()
        return self.lookup_length(num_tokens - self.num_prefix_tokens)

    def lookup_length(self, length):
        """(table, index) for another length; ValueError where the scheme is bound to its window."""
        raise ValueError(
            f"got {length + self.num_prefix_tokens} tokens, but window_size {self.window_size} with "
            f"{self.num_prefix_tokens} prefix tokens makes {self.num_tokens}"
        )

    def as_window(self, name, size):
        """The size as a tuple of `window_ndim` ints; a scheme of one axis reads a grid row-major."""
        if self.window_ndim > 1:
            return as_sizes(name, size, self.window_ndim)
        sizes = as_sizes(name, size)
        return (int(np.prod(sizes)),)

    def check_size(self, name, size):
        """The size as a tuple; raises ValueError where the scheme is bound to its window."""
        size = self.window_size if size is None else self.as_window(name, size)
        if size != self.window_size:
            raise ValueError(
                f"{name} is {size}, but a {self.bias_type!r} table covers the offsets of its "
                f"window {self.window_size} only"
            )
        return size

    def forward(self, q_size=None, k_size=None):
        """bias (num_heads, P + Lq, P + Lk)."""
        table, index = self.lookup(q_size, k_size)
        self._cache = index, len(table)
        return F.bias_forward(table, index)

    def backward(self, dbias):
        """dbias (num_heads, P + Lq, P + Lk) -> parameter gradients; there is no input gradient."""
        index, num_rows = self._cache
        self.table_backward(F.bias_backward(dbias, index, num_rows))
