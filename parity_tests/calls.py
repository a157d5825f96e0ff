"""Calls of every op in plain NumPy, the kernels and PyTorch, for tests with unusual arguments."""

import math

import numpy as np
import torch

import numpy_ref.kernels
import numpy_ref.ops
import torch_impl.ops

from .cases.ops import OPS
from .run import given_of

SMALL = [case for case in OPS if all(math.prod(s.shape) < 1200 for s in case.inputs.values())]
NUMPY_SIDES = {"ops": numpy_ref.ops, "kernels": numpy_ref.kernels}
SIDES = NUMPY_SIDES | {"torch": torch_impl.ops}
INDICES = ("index", "value_index", "labels")
# The backward of these three ops has another signature.
BACKWARDS = [case for case in SMALL if case.name not in ("bias", "cross_entropy", "soft_cross_entropy")]


def given_to(case, dtype="float32"):
    """Return {name: array}, the inputs of a valid call."""
    inputs = given_of(case, dtype).inputs
    return {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in inputs.items()}


def forward(side, case, given, **options):
    """Call forward; return (out, cache), or only out for "torch", which gets tensors."""
    options = case.options | options
    if side == "torch":
        return getattr(torch_impl.ops, case.name)(**as_tensors(given), **options)
    return getattr(SIDES[side], f"{case.name}_forward")(**given, **options)


def backward(side, case, dout, cache):
    return getattr(SIDES[side], f"{case.name}_backward")(dout, cache)


def as_tensors(given):
    return {n: torch.from_numpy(a) if isinstance(a, np.ndarray) else a for n, a in given.items()}


def cotangent(out):
    """Return a random gradient of the loss for the output, or a tuple for several outputs."""
    if isinstance(out, tuple):
        return tuple(cotangent(each) for each in out)
    return np.random.default_rng(0).standard_normal(out.shape).astype(out.dtype)


def first(out):
    """Return the output, or the first of several."""
    return out[0] if isinstance(out, tuple) else out


def results(side, case, given, relaid=lambda dout: dout):
    """Return all results of forward and backward as a list of arrays; relaid: applied to dout."""
    if case.name == "bias":
        out = SIDES[side].bias_forward(**given)
        rows = len(given["table"])
        return [out, SIDES[side].bias_backward(relaid(cotangent(out)), given["index"], rows)]
    out, cache = forward(side, case, given)
    if case.name.endswith("cross_entropy"):
        return [np.asarray(out), backward(side, case, 0.7, cache)]
    dout = cotangent(out)
    dout = tuple(map(relaid, dout)) if isinstance(dout, tuple) else relaid(dout)
    grads = backward(side, case, dout, cache)
    found = [*(out if isinstance(out, tuple) else [out])]
    return [*found, *(g for g in (grads if isinstance(grads, tuple) else [grads]) if g is not None)]


def misaligned(a):
    memory = np.empty(a.nbytes + 1, np.uint8)
    array = np.ndarray(a.shape, a.dtype, memory, 1)
    array[...] = a
    return array


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a
