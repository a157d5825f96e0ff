"""Random numbers that are the same on every machine, with every version of NumPy.

They are computed from SHAKE-256 of a text in integer arithmetic. NumPy's `standard_normal` is not used:
the tails of its distribution use log1p and exp of the C library, and NumPy may change the numbers that a
Generator draws.
"""

import hashlib
import math

import numpy as np

TERMS, BITS = 12, 49  # a sum of twelve integers below 2^49 is less than 2^53, so it is exact in float64


class Draws:
    """Draws as `np.random.Generator` does, from the stream of a text."""

    def __init__(self, text):
        self._text, self._calls = text, 0

    def words(self, count):
        """Return integers of 64 bits; each call has a stream of its own."""
        self._calls += 1
        stream = hashlib.shake_256(f"{self._text} {self._calls}".encode()).digest(8 * count)
        return np.frombuffer(stream, "<u8").astype(np.uint64)

    def standard_normal(self, shape):
        """Return numbers of mean 0 and variance 1, nearly normal: the sum of twelve uniform ones − 6."""
        words = self.words(TERMS * math.prod(shape)) >> np.uint64(64 - BITS)
        total = words.reshape(-1, TERMS).astype(np.int64).sum(1) - TERMS // 2 * 2**BITS
        return (total * 2.0**-BITS).reshape(shape)

    def integers(self, low, high, shape):
        """Return integers in [low, high); `high − low` is far below 2^53."""
        return low + np.floor(self.random(shape) * (high - low)).astype(np.int64)

    def random(self, shape):
        """Return multiples of 2^−53 in [0, 1)."""
        words = self.words(math.prod(shape)) >> np.uint64(11)
        return (words.astype(np.float64) * 2.0**-53).reshape(shape)
