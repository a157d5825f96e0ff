"""Attention in the NumPy twin, with plain NumPy or the numba kernels."""

from functools import partial

import numpy_ref
from numpy_ref.dispatch import F

from ._contestant import Contestant


def make(name, work, given, backward, device):
    """Make the contestant; it runs on the CPU, whatever the device."""
    given = dict(given)
    dout = given.pop("dout")

    def forward():
        return {"out": F.attention_forward(**given)[0]}

    def both():
        out, cache = F.attention_forward(**given)
        grads = F.attention_backward(dout, cache)
        return {"out": out, "dq": grads.dq, "dk": grads.dk, "dv": grads.dv, "dtable": grads.dtable}

    return Contestant(both if backward else forward, partial(numpy_ref.use_ops, name))
