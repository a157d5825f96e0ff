"""A module of the NumPy twin (attention, a Swin block), with plain NumPy or the numba kernels."""

from functools import partial

import numpy_ref

from ..workloads import weights_of
from ._contestant import Contestant


def make(name, work, given, backward, device):
    """Make the contestant; it runs on the CPU in the dtype of x, whatever the device."""
    x, dout = given["x"], given["dout"]
    module = work.build(numpy_ref, x.dtype)
    module.load_state_dict({n: a.astype(x.dtype) for n, a in weights_of(work).items()})
    module.train(backward)

    def forward():
        return {"out": module(x)}

    def both():
        module.zero_grad()
        out = module(x)
        dx = module.backward(dout)
        return {"out": out, "dx": dx} | {f"grad.{n}": p.grad for n, p in module.named_parameters()}

    return Contestant(both if backward else forward, partial(numpy_ref.use_ops, name))
