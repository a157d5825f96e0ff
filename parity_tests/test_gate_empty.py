"""Empty arrays: plain NumPy, the kernels and PyTorch give the same results or all raise ValueError."""

import warnings

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget
from .calls import SIDES, as_tensors, cotangent
from .cases.models import ATTENTION, BLOCKS, MODELS
from .run import build

ROWS = [((0,), 3, 2), ((2,), 0, 3), ((2,), 3, 0), ((0,), 0, 0), ((), 3, 2), ((), 0, 2), ((2, 0), 3, 4)]
HEADS = [
    ((0, 2, 3, 4), 5),
    ((2, 0, 3, 4), 5),
    ((2, 2, 0, 4), 5),
    ((2, 2, 3, 0), 5),
    ((2, 2, 3, 4), 0),
    ((0, 0, 0, 0), 0),
]


def ones(*shape):
    return np.ones(shape)


def elementwise():
    for shape in [(0, 3), (3, 0), (0, 0), (2, 0, 3), (0,), ()]:
        for op in ("gelu", "relu", "sigmoid", "silu", "softmax"):
            yield op, {"x": ones(*shape)}
        weight = ones(*shape[-1:])
        yield "layer_norm", {"x": ones(*shape), "weight": weight, "bias": weight}
        yield "residual", {"x": ones(*shape), "branch": ones(*shape)}
        for multiplier in (shape, (*shape[:1], *(1 for _ in shape[1:]))):
            yield "dropout", {"x": ones(*shape), "multiplier": ones(*multiplier)}


def layers():
    for lead, wide, out in ROWS:
        x, weight, bias, residual = ones(*lead, wide), ones(out, wide), ones(out), ones(*lead, out)
        yield "linear", {"x": x, "weight": weight}
        yield "linear", {"x": x, "weight": weight, "bias": bias, "residual": residual}
        for hidden in (0, 4):
            first = {"x": x, "weight1": ones(hidden, wide), "bias1": ones(hidden)}
            yield "mlp", first | {"weight2": ones(out, hidden), "bias2": bias, "residual": residual}


def heads():
    for q, keys in HEADS:
        k, index = (*q[:2], keys, q[3]), np.zeros((q[2], keys), int)
        yield "cosine", {"q": ones(*q), "k": ones(*k), "logit_scale": ones(q[1], 1, 1)}
        yield "score_lookup", {"q": ones(*q), "embedding": ones(1, 5, q[3]), "index": index}
        yield "value_lookup", {"p": ones(*q[:3], keys), "embedding": ones(1, 5, q[3]), "index": index}
        for v_dim in (0, 3):
            qkv = {"q": ones(*q), "k": ones(*k), "v": ones(*k[:3], v_dim)}
            yield "attention", qkv
            terms = {"table": ones(7, q[1]), "index": index, "bias": ones(q[1], q[2], keys)}
            terms |= {"mask": ones(1, 1, 1, keys), "dropout": ones(*q[:3], keys)}
            yield "attention", qkv | terms | {"scale": 1.0}
            values = {"value_embedding": ones(1, 4, v_dim), "value_index": index}
            yield "attention", qkv | values | {"scale": 1.0}


def others():
    yield "cross_entropy", {"logits": ones(0, 3), "labels": np.zeros(0, int)}
    yield "cross_entropy", {"logits": ones(2, 0), "labels": np.zeros(2, int)}
    for shape in [(0, 3), (2, 0)]:
        yield "soft_cross_entropy", {"logits": ones(*shape), "targets": ones(*shape)}
    for shape in [(0, 1, 4, 4), (1, 0, 4, 4), (1, 1, 0, 4)]:
        yield "patches", {"images": ones(*shape), "patch_size": (2, 2)}


CALLS = [*elementwise(), *layers(), *heads(), *others()]


def name_of(call):
    op, given = call
    return f"{op}-{'-'.join('x'.join(map(str, np.shape(a))) for a in given.values())}"


def outcome(side, op, given):
    """Return all results as a list of arrays, or "ValueError"; a warning is raised as an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _through(side, op, given)
    except ValueError as error:
        assert "undefined" in str(error) or "without channels" in str(error) or "expected" in str(error)
        return "ValueError"


def _through(side, op, given):
    if side == "torch":
        given = {
            n: x.requires_grad_() if isinstance(x, torch.Tensor) and x.is_floating_point() else x
            for n, x in as_tensors(given).items()
        }
        out = getattr(SIDES[side], op)(**given)
        return [x.detach().numpy() for x in (out if isinstance(out, tuple) else (out,))]
    out, cache = getattr(SIDES[side], f"{op}_forward")(**given)
    grads = getattr(SIDES[side], f"{op}_backward")(cotangent(out), cache)
    return [
        x
        for part in (out, grads)
        for x in (part if isinstance(part, tuple) else (part,))
        if x is not None
    ]


@pytest.mark.parametrize("call", CALLS, ids=name_of)
def test_of_nothing_all_make_the_same(call):
    op, given = call
    definition = outcome("ops", op, given)
    for side in ("kernels", "torch"):
        other = outcome(side, op, given)
        assert isinstance(other, str) == isinstance(definition, str), (definition, other)
        if not isinstance(other, str):
            assert len(other) == len(definition) or side == "torch"
            for one, two in zip(definition, other, strict=False):
                assert one.shape == two.shape
                assert budget.float64("out", np.asarray(one), np.asarray(two)).ok


@pytest.mark.parametrize("side", ["ops", "kernels"])
@pytest.mark.parametrize("rows", [0, 4])
@pytest.mark.parametrize("lengths", [(0, 3), (3, 0), (0, 0), (2, 2)])
@pytest.mark.parametrize("heads", [0, 2])
def test_a_table_of_nothing_has_a_gradient(heads, lengths, rows, side):
    index, table = np.zeros(lengths, int), ones(rows, heads)
    if index.size and not rows:
        with pytest.raises(ValueError, match=r"index has entries in \[0, 0\], expected \[0, 0\)"):
            SIDES[side].bias_forward(table, index)
        return
    bias = SIDES[side].bias_forward(table, index)
    assert bias.shape == (heads, *lengths)
    dtable = SIDES[side].bias_backward(bias, index, rows)
    expected = np.zeros((rows, heads))
    expected[:1] = index.size
    np.testing.assert_array_equal(dtable, expected)


@pytest.mark.parametrize("side", ["ops", "kernels"])
def test_the_heads_of_nothing_are_merged(side):
    for shape in [(0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)]:
        batch, heads, length, dim = shape
        merged = SIDES[side].merge_qkv(ones(*shape), ones(*shape), ones(*shape))
        assert merged.shape == (batch, length, 3 * heads * dim)


@pytest.mark.parametrize(
    "case", [c for c in ATTENTION + BLOCKS + MODELS if len(c.inputs) == 1], ids=lambda c: c.id
)
def test_a_module_takes_an_empty_batch(case):
    """Forward and backward give results without samples, with the shapes that PyTorch gives."""
    (spec,) = case.inputs.values()
    x = np.zeros((0, *spec.shape[1:]))
    module = build(numpy_ref, case, np.float64)
    out = module(x)
    assert module.backward(np.zeros_like(out)).shape == x.shape
    assert build(torch_impl, case, torch.float64)(torch.from_numpy(x)).shape == out.shape
