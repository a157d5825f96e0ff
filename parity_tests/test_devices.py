"""Each case on a device without memory ("meta"): a step mixes no devices and makes no array on the CPU.

A step that mixes devices fails on a GPU; one that makes an array on the CPU, or keeps an index there,
makes the CPU wait for the GPU. Here this shows without a GPU, in the forward and in the backward, with
every implementation of attention.
"""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import torch_impl
import torch_impl.ops

from .cases import CASES
from .cases._case import Fixed, Integers
from .compare import implementations
from .run import build, has_grad

ELSEWHERE = torch.device("meta")
# At sizes other than the window's these look, once, for the rows that occur, which needs the numbers.
OTHER_SIZES = ("other_grids", "prefix_fewer_queries", "prefix_more_queries")
LOOKS = {f"scheme-{name}-{sizes}" for name in ("irpe", "sum") for sizes in OTHER_SIZES}
LOOKS |= {"scheme-custom-samples"}  # its index comes with the call, as a NumPy array
RUNS = [(case, name) for case in CASES if case.id not in LOOKS for name in implementations(case)]
# A NumPy generator draws on the CPU; a table is resized once, and BEiT's splines are made there.
ON_CPU = [(case, name) for case, name in RUNS if "drop" in case.variant or "geometric" in case.variant]
STAYING = [(case, name) for case, name in RUNS if "geometric" not in case.variant]


class OneDevice(TorchDispatchMode):
    """Raise AssertionError for an operation on arrays of two devices, or, if `strict`, on the CPU.

    PyTorch itself lets an index on the CPU pass: it copies it at each use.
    """

    def __init__(self, strict=True):
        super().__init__()
        self.strict = strict

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        made = function(*arguments, **options)
        given = arrays_in((arguments, options))
        devices = {x.device for x in (given + arrays_in(made) if self.strict else given)}
        copies = not self.strict and function.overloadpacket is torch.ops.aten.copy_
        assert copies or len(devices) < 2, f"{function} works on two devices: {given}"
        assert not self.strict or devices <= {ELSEWHERE}, f"{function} works on the CPU: {given or made}"
        return made


def arrays_in(tree):
    return [x for x in tree_leaves(tree) if isinstance(x, torch.Tensor) and x.dim()]


def each(calls):
    return pytest.mark.parametrize(
        ("case", "implementation"), calls, ids=[f"{case.id}-{name}" for case, name in calls]
    )


@each(STAYING)
def test_a_step_stays_on_its_device(case, implementation, monkeypatch):
    """The first step of a block or model may make what it keeps, such as a mask, from Python's numbers.

    In evaluation, without dropout.
    """
    run = call_of(case, training=False)
    with OneDevice(), torch_impl.use_ops(implementation):
        if "block" in case.kind or case.kind in ("vit", "swin"):
            run()
        for name in ("tensor", "as_tensor", "from_numpy"):
            monkeypatch.setattr(torch, name, no_copy)
        backward(run())


@each(ON_CPU)
def test_what_is_made_on_the_cpu_is_moved(case, implementation):
    with OneDevice(strict=False), torch_impl.use_ops(implementation):
        backward(call_of(case, training=True)())


def no_copy(*arguments, **options):
    raise AssertionError(f"copies {arguments} to a GPU, which makes the CPU wait")


def backward(outs):
    outs = outs if isinstance(outs, list | tuple) else [outs]
    outs = [out for out in outs if out.requires_grad]
    torch.autograd.backward(outs, [torch.empty_like(out) for out in outs])


def call_of(case, training):
    """Return a function without arguments: the case's forward, on the device."""
    inputs = {name: empty(spec) for name, spec in case.inputs.items()}
    for name, x in inputs.items():
        x.requires_grad_(has_grad(case, name))
    if case.kind in ("op", "function"):
        where = torch_impl.ops if case.kind == "op" else torch_impl
        return lambda: getattr(where, case.name)(**inputs, **case.options)
    module = build(torch_impl, case, torch.float32).to(ELSEWHERE).train(training)
    return lambda: module(**inputs, **case.call)


def empty(spec):
    """Return a tensor of the spec's shape: int64 for integers, float32 for anything else."""
    whole = isinstance(spec, Integers) or (isinstance(spec, Fixed) and spec.values.dtype.kind in "iu")
    return torch.empty(spec.shape, dtype=torch.int64 if whole else torch.float32, device=ELSEWHERE)


SPOILED = {
    "an index that stayed on the CPU": (lambda x: x[torch.arange(2)], True),
    "a sum with an array on the CPU": (lambda x: x + torch.ones(2, 3), True),
    "an array made on the CPU and moved": (lambda x: x + torch.ones(2, 3).to(x), False),
    "a copy from NumPy": (lambda x: x * torch.from_numpy(np.ones((2, 3), np.float32)).to(x), False),
}


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("spoil", "mixes"), SPOILED.values(), ids=SPOILED)
def test_what_a_gpu_would_mind_is_seen(spoil, mixes, direction):
    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return spoil(x) if direction == "forward" else x + 0

        @staticmethod
        def backward(context, grad):
            return spoil(grad)

    x = torch.empty(2, 3, device=ELSEWHERE, requires_grad=True)
    for strict in (True, False) if mixes else (True,):
        with pytest.raises((AssertionError, RuntimeError), match=r"device|CPU"), OneDevice(strict):
            out = Spoiled.apply(x)
            out.backward(torch.empty_like(out))
