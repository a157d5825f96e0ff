"""Attention in the NumPy twin: the definition and the kernels."""

import importlib

from ._contestant import Contestant

MODULES = {"numpy": "numpy_ref.ops", "numba": "numpy_ref.kernels"}


def make(name, work, given, backward, device):
    """Runs on the CPU, whatever the device."""
    ops = importlib.import_module(MODULES[name])
    given = dict(given)
    dout = given.pop("dout")

    def forward():
        return {"out": ops.attention_forward(**given)[0]}

    def both():
        out, cache = ops.attention_forward(**given)
        grads = ops.attention_backward(dout, cache)
        return {"out": out, "dq": grads.dq, "dk": grads.dk, "dv": grads.dv, "dtable": grads.dtable}

    return Contestant(both if backward else forward)
