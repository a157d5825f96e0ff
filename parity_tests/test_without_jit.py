"""With NUMBA_DISABLE_JIT=1 the kernels run as plain Python, for debugging, with the same results."""

import functools

import numpy as np
import pytest

import numpy_ref
import numpy_ref.kernels as kernels
import numpy_ref.ops as ops

from . import budget
from .process import python
from .rounded import RoundedOps, on_grid, round_weights
from .yardstick import yardsticks

DROPPED = {"drop_rate": 0.5, "attn_drop_rate": 0.5, "drop_path_rate": 0.5}  # 1 / (1 − ½) is exact
MODELS = {
    "plain": {},
    "dropout": DROPPED,
    "cosine": {"cosine_attention": True},
    "cosine_dropout": {"cosine_attention": True, **DROPPED},
    "uneven": {"embed_dim": 10, "patch_size": 1},  # sizes that are no multiple of a vector or a piece
    "looks_at_query": {"rpb_kwargs": {"bias_type": "irpe", "rpe_on": "qkv"}},
}
SAVE = """
import sys
import numpy as np
from parity_tests import test_without_jit
np.savez(sys.argv[1], **test_without_jit.computed())
"""


def computed(implementation="numba"):
    """Return {"<model>/<dtype>/<array>": array} of every model, and of the gather and its gradient."""
    with numpy_ref.use_ops(implementation):
        found = {}
        for name, options in MODELS.items():
            for dtype in ("float32", "float64"):
                arrays = passes(options, dtype) | (trained(options) if dtype == "float64" else {})
                found |= {f"{name}/{dtype}/{key}": array for key, array in arrays.items()}
        return found | tables(ops if implementation == "numpy" else kernels)


def model_of(options, dtype):
    """Return a model with the weights that are drawn in float32, whatever the dtype."""
    sizes = {"img_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2} | options
    models = (
        numpy_ref.VisionTransformer(**sizes, dtype=d, generator=np.random.default_rng(3))
        for d in ("float32", dtype)
    )
    drawn, model = models
    model.load_state_dict(drawn.state_dict())
    return model


def batch():
    rng = np.random.default_rng(4)
    return rng.standard_normal((3, 1, 8, 8), np.float32), np.array([3, 7, 1])


def passes(options, dtype, rounding=None):
    model = model_of(options, dtype)
    if rounding:
        round_weights(model, rounding)
    images, dlogits = batch()[0], np.random.default_rng(5).standard_normal((3, 10), np.float32)
    logits = model(on_grid(images.astype(dtype), rounding))
    dimages = model.backward(on_grid(dlogits.astype(dtype), rounding))
    return {"out": logits, "dimages": dimages} | {
        f"grad.{name}": p.grad for name, p in model.named_parameters()
    }


def trained(options):
    trainer = numpy_ref.Trainer(model_of(options, "float64"), lr=1e-2, total_steps=9, clip_norm=0.5)
    result = trainer.train_step(*batch())
    return trainer.state_dict()[0] | {"loss": np.float64(result.loss), "norm": result.grad_norm}


def tables(module):
    found = {}
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(6)
        table, index = rng.standard_normal((6, 3)).astype(dtype), rng.integers(0, 6, (7, 5))
        bias = module.bias_forward(table, index)
        found |= {
            f"table/{dtype}/bias": bias,
            f"table/{dtype}/dtable": module.bias_backward(bias, index, 6),
        }
    return found


@functools.cache
def costs_of(name, dtype):
    """Return {tensor: Yardstick} of a model in this precision; {} in float64."""
    if dtype == "float64":
        return {}

    def run(rounding):
        with numpy_ref.use_ops(RoundedOps(rounding)):
            return passes(MODELS[name], "float64", rounding)

    with numpy_ref.use_ops("numpy"):
        return yardsticks(passes(MODELS[name], "float64"), run, dtype)


@pytest.fixture(scope="module")
def without_jit(tmp_path_factory):
    path = tmp_path_factory.mktemp("without_jit") / "results.npz"
    python(SAVE, path, NUMBA_DISABLE_JIT="1")
    return dict(np.load(path))


jitted, defined = functools.cache(computed), functools.cache(lambda: computed("numpy"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_the_same(name, dtype, without_jit):
    keys = [key for key in jitted() if key.startswith(f"{name}/{dtype}/")]
    assert len(keys) > 10
    for key in keys:
        tensor, plain, compiled = key.split("/")[2], without_jit[key], jitted()[key]
        assert plain.dtype == np.asarray(compiled).dtype
        truth = defined()[key.replace(dtype, "float64")]
        for side in (plain, compiled):
            row = budget.row(tensor, truth, side, costs_of(name, dtype).get(tensor))
            assert row.ok, row


def test_the_gather_and_its_gradient_keep_their_bits(without_jit):
    keys = [key for key in jitted() if key.startswith("table/")]
    assert len(keys) == 4
    for key in keys:
        assert budget.exact(key, defined()[key], jitted()[key], without_jit[key]).ok
