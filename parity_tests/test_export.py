"""torch.export and ONNX keep the batch open, and the length for schemes that take any."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from torch.export import Dim, export

import torch_impl

from . import budget
from .run import build, given_of
from .test_compile import ANY_LENGTH, ATTENTIONS, MODELS, ids, made
from .verdict import truth_of

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")),
    reason="onnx, onnxruntime and onnxscript are not installed",
)
BATCH = Dim("batch", min=1, max=64)
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
    program = export(
        module, (), {name: x[:, :7].contiguous()}, dynamic_shapes={name: {0: BATCH, 1: length}}
    )
    for length in (3, longest):
        sequence = torch.randn(3, length, module.embed_dim, dtype=torch.float64)
        assert_same(module(sequence), program.module()(**{name: sequence}))


def evaluated_alike(case):
    """Return the case without its dropout, which a module in evaluation does not have."""
    off = {"swin": {"drop_path_rate": 0.0}}.get(case.kind, {})
    if case.name == "rel_pos_mlp":  # the scheme drops something unless told otherwise
        off = {"rpb_kwargs": case.options["rpb_kwargs"] | {"drop": 0.0}}
    return replace(case, options=case.options | off)


def in_onnx(case, folder, given):
    """Export with another batch than the case's, and another length if it may differ; then run it."""
    import onnxruntime

    module = build(torch_impl, case, torch.float32).eval()
    module.load_state_dict({name: torch.tensor(a) for name, a in given.state.items()})
    ((name, x),) = given.inputs.items()
    example, shapes = torch.randn(x.shape[0] + 2, *x.shape[1:]), {0: BATCH}
    if case.id in {other.id for other in ANY_LENGTH}:
        example = example[:, :7].contiguous()
        shapes[1] = Dim("length", min=3, max=x.shape[1] if case.name == "1d" else 64)
    program = torch.onnx.export(
        module, (), kwargs={name: example}, dynamo=True, dynamic_shapes={name: shapes}, verbose=False
    )
    program.save(folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {session.get_inputs()[0].name: x.astype("float32")})
    return out


def is_slow(case):
    """Return whether the case is left to `make test`: one to two seconds each, a whole Swin five."""
    return case.kind == "swin" or (case.kind == "attention" and case.name not in QUICK)


QUICK = ("2d", "log_cpb", "irpe", "t5")
TO_ONNX = [pytest.param(case, marks=[pytest.mark.slow] * is_slow(case)) for case in ONE_INPUT]


@needs_onnx
@pytest.mark.parametrize("case", TO_ONNX, ids=[case.id for case in ONE_INPUT])
def test_onnxruntime_is_within_the_budget(case, tmp_path):
    """Every scheme in attention, and every model; the batch is open, and the length where it can be."""
    case = evaluated_alike(case)
    out = in_onnx(case, tmp_path, given_of(case, "float32"))
    truth, costs = truth_of(case, "float32")
    assert budget.row("out", truth["out"], out, costs["out"]).ok
