"""Each case on a device without memory ("meta"): no operation reads arrays of two devices.

A step that mixes devices fails on a GPU, or waits for it. Here this shows without a GPU, in the forward
and in the backward, with every implementation of attention.
"""

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


class OneDevice(TorchDispatchMode):
    """Raise AssertionError for an operation on arrays of two devices.

    PyTorch itself lets an index on the CPU pass: it copies it at each use.
    """

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        arrays = [
            x for x in tree_leaves((arguments, options)) if isinstance(x, torch.Tensor) and x.dim()
        ]
        if function.overloadpacket is not torch.ops.aten.copy_:
            found = {x.device.type: tuple(x.shape) for x in arrays}
            assert len(found) < 2, f"{function} reads arrays of two devices: {found}"
        return function(*arguments, **options)


# At sizes other than its window's a sum looks for the rows that occur, which needs the numbers.
LOOKS = {f"scheme-sum-{what}" for what in ("other_grids", "prefix_fewer_queries", "prefix_more_queries")}
CALLS = [(case, name) for case in CASES if case.id not in LOOKS for name in implementations(case)]


@pytest.mark.parametrize(
    ("case", "implementation"), CALLS, ids=[f"{case.id}-{name}" for case, name in CALLS]
)
def test_a_step_stays_on_its_device(case, implementation):
    run = call_of(case)
    with OneDevice(), torch_impl.use_ops(implementation):
        outs = run()
        outs = outs if isinstance(outs, list | tuple) else [outs]
        outs = [out for out in outs if out.requires_grad]
        torch.autograd.backward(outs, [torch.empty_like(out) for out in outs])


def call_of(case):
    """Return a function without arguments: the case's forward, on the device."""
    inputs = {name: empty(spec) for name, spec in case.inputs.items()}
    for name, x in inputs.items():
        x.requires_grad_(has_grad(case, name))
    if case.kind == "op":
        return lambda: getattr(torch_impl.ops, case.name)(**inputs, **case.options)
    module = build(torch_impl, case, torch.float32).to(ELSEWHERE)
    return lambda: module(**inputs, **case.call)


def empty(spec):
    """Return a tensor of the spec's shape: int64 for integers, float32 for anything else."""
    whole = isinstance(spec, Integers) or (isinstance(spec, Fixed) and spec.values.dtype.kind in "iu")
    return torch.empty(spec.shape, dtype=torch.int64 if whole else torch.float32, device=ELSEWHERE)


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_an_array_on_the_cpu_is_seen(backward):
    """An index on the CPU is no error to PyTorch; in a backward it would only slow a GPU down."""

    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x[torch.arange(2)] if not backward else x + 0

        @staticmethod
        def backward(context, grad):
            return grad[torch.arange(2)]

    x = torch.empty(2, 3, device=ELSEWHERE, requires_grad=True)
    with pytest.raises(AssertionError, match="two devices"), OneDevice():
        out = Spoiled.apply(x)
        out.backward(torch.empty_like(out))
