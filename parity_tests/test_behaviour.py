"""Faults that both twins could share: in dropout, initialisation, norms, checks of input."""

import math

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget
from .both import TWINS, array, tensor

GENERATORS = pytest.mark.parametrize(
    ("twin", "generator"),
    [
        (numpy_ref, lambda: np.random.default_rng(0)),
        (torch_impl, lambda: np.random.default_rng(0)),
        (torch_impl, lambda: torch.Generator().manual_seed(0)),
    ],
    ids=["numpy", "torch", "torch with its own generator"],
)
SMALL = {"img_size": 8, "patch_size": 2, "embed_dim": 16, "depth": 3, "num_heads": 2}


def model_of(twin, **options):
    return twin.VisionTransformer(**SMALL | options, generator=np.random.default_rng(0))


def images(twin, count=4):
    return tensor(twin, np.random.default_rng(1).standard_normal((count, 1, 8, 8), dtype=np.float32))


@TWINS
def test_nothing_is_dropped_in_evaluation(twin):
    dropping = model_of(twin, drop_rate=0.3, attn_drop_rate=0.3, drop_path_rate=0.3)
    plain = model_of(twin)
    plain.load_state_dict(dropping.state_dict())
    x = images(twin)
    np.testing.assert_array_equal(array(dropping.eval()(x)), array(plain.eval()(x)))
    assert np.abs(array(dropping.train()(x)) - array(plain(x))).max() > 1e-3


@GENERATORS
@pytest.mark.parametrize("layer", ["Dropout", "DropPath"])
def test_dropout_keeps_the_mean(twin, generator, layer):
    """Outputs are 0 or 1 / (1 − rate); the share of zeros in 20,000 draws is the rate within 5 σ."""
    module = getattr(__import__(f"{twin.__name__}.nn", fromlist=["nn"]), layer)(0.2, generator())
    shape = (200, 100) if layer == "Dropout" else (20000, 2)
    out = array(module.train()(tensor(twin, np.ones(shape, np.float32))))
    assert set(np.unique(out)) == {np.float32(0), np.float32(1.25)}
    assert abs((out == 0).mean() - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 20000)
    if layer == "DropPath":
        assert (out[:, 0] == out[:, 1]).all()


@TWINS
def test_stochastic_depth_grows_over_the_blocks(twin):
    rates = [block.drop_path1.rate for block in model_of(twin, drop_path_rate=0.4).blocks]
    assert budget.float64("rates", [0.0, 0.2, 0.4], rates).ok
    assert rates == [block.drop_path2.rate for block in model_of(twin, drop_path_rate=0.4).blocks]


@GENERATORS
def test_tables_start_truncated_normal(twin, generator):
    """Entries lie within ±2 std; a normal truncated there has the standard deviation 0.8796 std."""
    scheme = twin.RelativePositionBias(16, (20, 20), init_std=0.5, generator=generator())
    table = array(scheme.table())
    assert table.shape == (1521, 16)
    assert np.abs(table).max() <= 1.0
    assert abs(table.std() - 0.8796 * 0.5) < 0.01
    assert abs(table.mean()) < 0.01


@TWINS
def test_weights_start_as_documented(twin):
    state = {name: array(a) for name, a in model_of(twin, embed_dim=64).state_dict().items()}
    assert not any(
        state[name].any() for name in state if name.endswith(("qkv.bias", "fc1.bias", "head.bias"))
    )
    assert all((state[name] == 1).all() for name in state if "norm" in name and name.endswith("weight"))
    fc1 = state["blocks.0.mlp.fc1.weight"]
    assert abs(fc1.std() - 0.8796 * math.sqrt(2 / (64 + 256))) < 0.002


@TWINS
def test_res_post_norm_starts_with_norms_as_layer_scales(twin):
    """As in timm's ResPostRelPosBlock, init_values is the norms' first weight; nothing else scales."""
    state = model_of(twin, res_post_norm=True, init_values=0.25).state_dict()
    starts = {array(a).mean() for n, a in state.items() if n.endswith(("norm1.weight", "norm2.weight"))}
    assert starts == {0.25}
    assert not [name for name in state if "ls1" in name or "ls2" in name]


@TWINS
def test_attention_maps_of_res_post_norm_are_those_of_the_blocks_input(twin):
    model = model_of(twin, depth=1, global_pool="avg", res_post_norm=True).eval()
    (block,) = model.blocks
    expected = block.attn.attention_weights(model.patch_embed(images(twin)))
    np.testing.assert_array_equal(array(model.attention_maps(images(twin))[0]), array(expected))


@TWINS
def test_layer_norm_epsilon(twin):
    """With a tiny input the result depends on eps: (x − mean) / √(var + 1e-6)."""
    norm = model_of(twin, dtype="float64").norm
    x = 1e-3 * np.random.default_rng(0).standard_normal((2, 16))
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    assert budget.float64("out", expected, array(norm(tensor(twin, x)))).ok


@TWINS
@pytest.mark.parametrize("size", [0.0, 1e-13, 1e-9])
def test_cosine_of_tiny_vectors(twin, size):
    """The result is q / max(‖q‖, 1e-12): 0 for q = 0, with a finite gradient."""
    direction = np.array([0.6, 0.8]).reshape(1, 1, 1, 2)
    q, k, scale = size * direction, direction, np.zeros((1, 1, 1))
    expected = q / max(size, 1e-12)
    cotangents = np.array([1.0, 2.0]).reshape(1, 1, 1, 2), np.zeros_like(k)
    if twin is numpy_ref:
        (out, _), cache = numpy_ref.ops.cosine_forward(q, k, scale)
        dq = numpy_ref.ops.cosine_backward(cotangents, cache).dq
    else:
        leaf = torch.from_numpy(q).requires_grad_()
        out = torch_impl.ops.cosine(leaf, torch.from_numpy(k), torch.from_numpy(scale))[0]
        (dq,) = torch.autograd.grad(out, leaf, torch.from_numpy(cotangents[0]))
    assert budget.float64("out", expected, array(out)).ok
    along = direction * (direction * cotangents[0]).sum() if size > 1e-12 else 0.0
    assert budget.float64("dq", (cotangents[0] - along) / max(size, 1e-12), array(dq)).ok


@TWINS
def test_an_unknown_implementation_is_named(twin):
    with (
        pytest.raises(ValueError, match="implementation is 'cuda', expected one of"),
        twin.use_ops("cuda"),
    ):
        pass
    if twin is torch_impl:
        q = torch.zeros(1, 1, 2, 3)
        with pytest.raises(ValueError, match="implementation is 'cuda', expected one of"):
            torch_impl.ops.attention(q, q, q, implementation="cuda")


@TWINS
def test_bad_input_is_named(twin):
    attn = twin.MultiHeadAttention(8, 2, rpb_kwargs={"window_size": 5, "bias_type": "1d"})
    x = np.zeros((2, 5, 8), np.float32)
    with pytest.raises(ValueError, match="x has shape"):
        attn(tensor(twin, x[..., :6].copy()))
    with pytest.raises(ValueError, match="mask has shape"):
        attn(tensor(twin, x), mask=tensor(twin, np.zeros((3, 1, 5, 5), np.float32)))
    with pytest.raises(ValueError, match="bias has shape"):
        attn(tensor(twin, x), bias=tensor(twin, np.zeros((3, 5, 5), np.float32)))
    with pytest.raises(TypeError, match="mask has dtype"):
        attn(tensor(twin, x), mask=tensor(twin, np.zeros((5, 5), bool)))
    with pytest.raises(TypeError, match="x has dtype"):
        attn(tensor(twin, x.astype(np.int64)))
    with pytest.raises(ValueError, match=r"lr is nan"):
        twin.Trainer(model_of(twin), math.nan, 10)
    with pytest.raises(ValueError, match="total_steps is 0"):
        twin.Trainer(model_of(twin), 1e-3, 0)
