"""The gather or the scatter-add alone: the NumPy twin's, and NumPy's own add.at."""

from functools import partial

import numpy as np

import numpy_ref
from numpy_ref.dispatch import F

from ._contestant import Contestant


def make(name, work, given, backward, device):
    """Make the contestant: the scatter-add if `backward`, otherwise the gather."""
    table, index, dbias = given["table"], given["index"], given["dbias"]
    if name == "numpy add.at":
        return Contestant(lambda: {"dtable": _add_at(dbias, index, len(table))})
    within = partial(numpy_ref.use_ops, name)
    if backward:
        return Contestant(lambda: {"dtable": F.bias_backward(dbias, index, len(table))}, within)
    return Contestant(lambda: {"out": F.bias_forward(table, index)}, within)


def _add_at(dbias, index, num_rows):
    dtable = np.zeros((num_rows, len(dbias)), dbias.dtype)
    np.add.at(dtable, index, dbias.transpose(1, 2, 0))
    return dtable
