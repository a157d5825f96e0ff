"""torch.export and ONNX keep the batch open, and the length for schemes that take any."""

import importlib.util

import pytest
import torch
from torch.export import Dim, export

from . import budget
from .test_compile import ANY_LENGTH, ATTENTIONS, MODELS, ids, made

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")),
    reason="onnx, onnxruntime and onnxscript are not installed",
)
BATCH = Dim("batch", min=1, max=64)
LENGTH = Dim("length", min=3, max=64)
ONE_INPUT = [case for case in ATTENTIONS + MODELS if len(case.inputs) == 1]


def evaluated(case):
    """Return (module in evaluation, name of its input, an input of two samples)."""
    module, inputs = made(case)
    ((name, x),) = inputs.items()
    return module.eval(), name, torch.cat([x, -x]).detach()[:2]


def outputs(out):
    return out if isinstance(out, list) else [out]


def assert_same(expected, found):
    for n, (a, b) in enumerate(zip(outputs(expected), outputs(found), strict=True)):
        assert budget.float64(f"out.{n}", a.detach(), b.detach()).ok


@pytest.mark.parametrize("case", **ids(ONE_INPUT))
def test_an_exported_module_takes_any_batch(case):
    module, name, x = evaluated(case)
    program = export(module, (), {name: x}, dynamic_shapes={name: {0: BATCH}})
    for batch in (x[:1], torch.cat([x, 2 * x, -x])):
        assert_same(module(**{name: batch}), program.module()(**{name: batch}))


@pytest.mark.parametrize("case", **ids(ANY_LENGTH))
def test_an_exported_module_takes_any_length(case):
    module, name, x = evaluated(case)
    longest = module.rel_pos.window_size[0] if case.name == "1d" else 64
    length = Dim("length", min=3, max=longest)
    program = export(module, (), {name: x[:, :7]}, dynamic_shapes={name: {0: BATCH, 1: length}})
    for length in (3, longest):
        sequence = torch.randn(3, length, module.embed_dim, dtype=torch.float64)
        assert_same(module(sequence), program.module()(**{name: sequence}))


def in_onnx(path, module, name, x, shapes):
    """Export the module; return a function that runs it in onnxruntime."""
    import onnxruntime

    program = torch.onnx.export(
        module, (), kwargs={name: x}, dynamo=True, dynamic_shapes={name: shapes}, verbose=False
    )
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda given: session.run(None, {session.get_inputs()[0].name: given.numpy()})[0]


IN_ONNX = [case for case in ONE_INPUT if case.name in ("2d", "log_cpb", "irpe", "v1")]


@needs_onnx
@pytest.mark.parametrize("case", **ids([c for c in IN_ONNX if c.kind in ("attention", "swin_block")]))
def test_onnxruntime_computes_the_same(case, tmp_path):
    module, name, x = evaluated(case)
    run = in_onnx(tmp_path / "model.onnx", module, name, x, {0: BATCH})
    for batch in (x[:1], torch.cat([x, 2 * x, -x])):
        assert_same(module(**{name: batch}), torch.from_numpy(run(batch)))


@needs_onnx
def test_onnxruntime_takes_any_length(tmp_path):
    case = next(case for case in ANY_LENGTH if case.name == "t5")
    module, name, x = evaluated(case)
    run = in_onnx(tmp_path / "model.onnx", module, name, x[:, :7], {0: BATCH, 1: LENGTH})
    for length in (3, 40):
        sequence = torch.randn(3, length, module.embed_dim, dtype=torch.float64)
        assert_same(module(sequence), torch.from_numpy(run(sequence)))
