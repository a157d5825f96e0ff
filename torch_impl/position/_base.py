"""What every static scheme is: a table and an index (arXiv 2103.14030, eq. 4)."""

import math

import torch
from torch import nn

from .. import ops
from ..checks import as_dtype, as_sizes, check_natural, check_positive_int
from ..random import as_generator


class PositionBias(nn.Module):
    """bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size)` and `table(...)`. `num_prefix_tokens` tokens (class
    token, registers) stand before the window in the sequence.
    """

    bias_type = None
    window_ndim = 1

    def __init__(self, num_heads, window_size, init_std, num_prefix_tokens, dtype, generator):
        super().__init__()
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
        index = self.make_index(self.window_size, self.window_size)
        self.register_buffer("index", index, persistent=False)

    @property
    def num_tokens(self):
        """Length of the sequence the scheme was built for, prefix tokens included."""
        return self.num_prefix_tokens + math.prod(self.window_size)

    def make_index(self, q_size, k_size):
        """Integer geometry: (P + Lq, P + Lk) rows of the table, P = num_prefix_tokens."""
        raise NotImplementedError

    def table(self, q_size=None, k_size=None):
        """(R, num_heads); the sizes matter only to a scheme whose rows depend on the length."""
        raise NotImplementedError

    def lookup(self, q_size=None, k_size=None):
        """(table, index) for the given sizes, prefix tokens not counted; the window's by default."""
        q_size, k_size = self.check_size("q_size", q_size), self.check_size("k_size", k_size)
        if q_size == k_size == self.window_size:
            return self.table(), self.index
        return self.table(q_size, k_size), self.make_index(q_size, k_size).to(self.index.device)

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
        return (math.prod(sizes),)

    def check_size(self, name, size):
        """The size as a tuple; raises ValueError where the scheme is bound to its window."""
        size = self.window_size if size is None else self.as_window(name, size)
        if size != self.window_size:
            raise ValueError(
                f"{name} is {size}, but a {self.bias_type!r} table covers the offsets of its "
                f"window {self.window_size} only"
            )
        return size

    def _apply(self, fn, recurse=True):
        """`.to(dtype)` reaches tables that are made when they are asked for, too."""
        self.dtype = fn(torch.empty(0, dtype=self.dtype)).dtype
        return super()._apply(fn, recurse)

    def forward(self, q_size=None, k_size=None):
        """bias (num_heads, P + Lq, P + Lk)."""
        return ops.bias(*self.lookup(q_size, k_size))
