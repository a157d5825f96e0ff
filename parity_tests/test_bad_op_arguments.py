"""Bad arguments of the ops: the error names the argument."""

import numpy as np
import pytest

import numpy_ref
import numpy_ref.kernels
import numpy_ref.ops
import torch_impl
import torch_impl.ops

from . import budget
from .both import tensor
from .cases import CASES
from .run import given_of

ALL_OPS = pytest.mark.parametrize("module", [numpy_ref.ops, numpy_ref.kernels, torch_impl.ops])
NUMPY_OPS = pytest.mark.parametrize("module", [numpy_ref.ops, numpy_ref.kernels], ids=["ops", "kernels"])


@ALL_OPS
@pytest.mark.parametrize("op", ["linear", "mlp"])
@pytest.mark.parametrize("shape", [(1, 6), (5, 1), (5, 7)])
def test_a_residual_of_another_shape_is_named(module, op, shape):
    """A residual that would broadcast is refused too, since its gradient would have another shape."""
    twin = torch_impl if module is torch_impl.ops else numpy_ref
    x, weight, bias = (tensor(twin, np.ones(s)) for s in ((5, 6), (6, 6), (6,)))
    parameters = (weight, bias) * (2 if op == "mlp" else 1)
    call = getattr(module, op if twin is torch_impl else f"{op}_forward")
    with pytest.raises(ValueError, match=rf"residual has shape \({shape[0]}, {shape[1]}\)"):
        call(x, *parameters, tensor(twin, np.ones(shape)))


@ALL_OPS
@pytest.mark.parametrize(
    ("op", "x", "embedding", "index", "message"),
    [
        ("score", (1, 1, 5, 3), (1, 2, 3), (2, 2), r"index has shape \(2, 2\), expected \(5, any\)"),
        ("score", (1, 1, 5, 3), (1, 2, 4), (5, 2), "embedding has shape"),
        ("score", (1, 4, 5, 3), (2, 2, 3), (5, 2), "expected 1 or 4 heads first"),
        ("value", (1, 1, 5, 3), (1, 2, 3), (2, 2), r"index has shape \(2, 2\), expected \(5, 3\)"),
        ("value", (1, 5, 3), (1, 2, 3), (5, 3), "p has shape"),
    ],
)
def test_bad_lookups_are_named(module, op, x, embedding, index, message):
    twin = torch_impl if module is torch_impl.ops else numpy_ref
    arrays = [np.zeros(x), np.zeros(embedding), np.zeros(index, np.int64)]
    call = getattr(module, f"{op}_lookup", None) or getattr(module, f"{op}_lookup_forward")
    with pytest.raises(ValueError, match=message):
        call(*(tensor(twin, a) for a in arrays))


@NUMPY_OPS
@pytest.mark.parametrize("bad", [-1, 3])
@pytest.mark.parametrize("op", ["score", "value"])
def test_an_index_outside_the_embedding_is_named(module, op, bad):
    """−1 must be refused too; NumPy would take the last row."""
    index = np.zeros((5, 4), np.int64)
    index[2, 1] = bad
    x, embedding = np.ones((1, 2, 5, 6 if op == "score" else 4)), np.ones((2, 3, 6))
    with pytest.raises(ValueError, match=r"index has entries in \[-?\d, \d\], expected \[0, 3\)"):
        getattr(module, f"{op}_lookup_forward")(x, embedding, index)


@ALL_OPS
@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_an_index_without_entries_gives_a_bias_without_entries(module, shape):
    """The check of the lowest and highest entry must not fail where there is none."""
    twin = torch_impl if module is torch_impl.ops else numpy_ref
    arguments = (tensor(twin, a) for a in (np.ones((4, 2)), np.zeros(shape, np.int64)))
    call = module.bias if twin is torch_impl else module.bias_forward
    assert call(*arguments).shape == (2, *shape)


INTEGERS = {
    "linear": {"x": (5, 6), "weight": (4, 6), "bias": (4,), "residual": (5, 4)},
    "mlp": {
        "x": (5, 4),
        "weight1": (6, 4),
        "bias1": (6,),
        "weight2": (4, 6),
        "bias2": (4,),
        "residual": (5, 4),
    },
    "cosine": {"q": (1, 2, 3, 4), "k": (1, 2, 5, 4), "logit_scale": (2, 1, 1)},
    "layer_norm": {"x": (5, 6), "weight": (6,), "bias": (6,)},
    "gelu": {"x": (5, 6)},
    "relu": {"x": (5, 6)},
    "silu": {"x": (5, 6)},
    "sigmoid": {"x": (5, 6)},
    "softmax": {"x": (5, 6)},
}


@NUMPY_OPS
@pytest.mark.parametrize(
    ("op", "argument"), [(op, argument) for op, shapes in INTEGERS.items() for argument in shapes]
)
def test_integers_are_named(module, op, argument):
    """One argument is int64, the others are float64; the error must name that one."""
    arrays = {name: np.ones(shape) for name, shape in INTEGERS[op].items()}
    arrays[argument] = arrays[argument].astype(np.int64)
    with pytest.raises(TypeError, match=rf"{argument.rstrip('12')}[12]? has dtype int64"):
        getattr(module, f"{op}_forward")(**arrays)


@ALL_OPS
@pytest.mark.parametrize("label_smoothing", [0, 1])
def test_label_smoothing_goes_from_0_to_1_and_no_further(module, label_smoothing):
    """0 and 1 are accepted and 0.01 beyond is refused; at 1 the target is 1/C for each class."""
    logits, labels = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 2, 1, 1])
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(p).mean() if label_smoothing else -np.log(p[np.arange(4), labels]).mean()
    if module is torch_impl.ops:
        call, given = module.cross_entropy, [tensor(torch_impl, a) for a in (logits, labels)]
    else:
        call, given = (lambda *a: module.cross_entropy_forward(*a)[0]), [logits, labels]
    assert budget.float64("loss", expected, float(call(*given, label_smoothing))).ok
    beyond = label_smoothing + (0.01 if label_smoothing else -0.01)
    with pytest.raises(ValueError, match=rf"label_smoothing is {beyond}"):
        call(*given, beyond)


# One case per op, without ops whose cache has no shape to check the gradient against.
OP_CASES = {c.name: c for c in CASES if c.kind == "op" and c.name not in ("residual", "dropout", "bias")}


@NUMPY_OPS
@pytest.mark.parametrize("name", OP_CASES)
def test_a_gradient_of_another_shape_is_named(module, name):
    """Backward refuses a gradient of another shape than the output, even if it would broadcast."""
    case = OP_CASES[name]
    out, cache = getattr(module, f"{name}_forward")(**given_of(case, "float64").inputs, **case.options)
    several = isinstance(out, tuple)
    outs = list(out) if several else [out]
    for n, whole in enumerate(outs):
        for axis in (axis for axis, size in enumerate(np.shape(whole)) if size > 1):
            short = np.ascontiguousarray(np.take(whole, [0], axis))
            douts = (*outs[:n], short, *outs[n + 1 :])
            with pytest.raises(ValueError, match="has shape"):
                getattr(module, f"{name}_backward")(douts if several else short, cache)


@ALL_OPS
@pytest.mark.parametrize("heads", [0, 2])
def test_vectors_for_another_number_of_heads_are_named_as_attention_calls_them(module, heads):
    """They are looked up by another op, in which they have another name."""
    twin = torch_impl if module is torch_impl.ops else numpy_ref
    arrays = {name: np.ones((1, 3, 2, 2)) for name in "qkv"}
    arrays |= {"value_embedding": np.ones((heads, 4, 2)), "value_index": np.zeros((2, 2), np.int64)}
    call = module.attention if twin is torch_impl else module.attention_forward
    with pytest.raises(
        ValueError, match=rf"^value_embedding has shape \({heads}, 4, 2\), expected 1 or 3"
    ):
        call(**{name: tensor(twin, a) for name, a in arrays.items()})
