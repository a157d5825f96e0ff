"""What the tests of the converter share."""

import numpy as np

from .. import budget


def same_bits(tensors, back):
    """Return a budget.Row per tensor that went there and back; raise AssertionError if names differ.

    A file may have other names than the ones it is written with: those of the report's source.
    """
    assert tensors.keys() == back.keys(), f"names differ: {sorted(tensors.keys() ^ back.keys())}"
    return [
        budget.exact(f"there and back {name}", bits(tensor), bits(back[name]))
        for name, tensor in tensors.items()
    ]


def bits(tensor):
    return np.ascontiguousarray(tensor.array).view(f"u{tensor.array.itemsize}")
