"""Faults that both twins could share: in dropout, initialisation, optimisation, checks of input."""

import math
from itertools import pairwise

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
    assert rates == pytest.approx([0.0, 0.2, 0.4])
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
    norm = model_of(twin).norm
    x = 1e-3 * np.random.default_rng(0).standard_normal((2, 16), dtype=np.float32)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    np.testing.assert_array_less(np.abs(array(norm(tensor(twin, x))) - expected), 1e-5)


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
def test_parameter_groups_by_name(twin):
    options = {"position": "shared_relative", "cosine_attention": True}
    named = dict(model_of(twin, **options).named_parameters())
    named |= dict(model_of(twin, position="absolute").named_parameters())
    named |= dict(model_of(twin, rpb_kwargs={"bias_type": "log_cpb"}).named_parameters())
    decayed, plain, tables = twin.parameter_groups(named.items(), 0.1, 7.0)
    assert (decayed["weight_decay"], plain["weight_decay"], tables["weight_decay"]) == (0.1, 0.0, 0.0)
    assert (decayed["lr_factor"], plain["lr_factor"], tables["lr_factor"]) == (1.0, 1.0, 7.0)
    matrices = ("qkv.weight", "proj.weight", "fc1.weight", "fc2.weight", "head.weight")
    assert all(name.endswith(matrices) for name in decayed["params"])
    assert list(tables["params"]) == ["shared_rel_pos.relative_position_bias_table"]
    assert {"cls_token", "pos_embed", "norm.weight", "blocks.0.attn.logit_scale"} <= plain[
        "params"
    ].keys()
    assert "blocks.0.attn.rel_pos.cpb_mlp.0.weight" in plain["params"]
    assert len(named) == sum(len(g["params"]) for g in (decayed, plain, tables))


@TWINS
@pytest.mark.parametrize(
    ("bias_type", "options", "expected"),
    [
        ("shaw", {}, {"relative_position_keys", "relative_position_values"}),
        ("decomposed", {}, {"rel_pos_h", "rel_pos_w"}),
        ("halo", {}, {"height_rel", "width_rel"}),
        ("irpe", {"rpe_on": "qkv"}, {"lookup_table_q", "lookup_table_k", "lookup_table_v"}),
        ("gated_t5", {}, {"relative_position_bias_table"}),
        ("transformer_xl", {}, set()),
        ("kerple", {}, set()),
    ],
)
def test_what_an_index_looks_up_is_a_table(twin, bias_type, options, expected):
    """These parameters are in the group of tables; no parameter of a scheme has weight decay."""
    model = model_of(twin, rpb_kwargs={"bias_type": bias_type} | options)
    decayed, _, tables = twin.parameter_groups(model.named_parameters(), 0.1, 7.0)
    assert {name.split(".")[-1] for name in tables["params"]} == expected
    assert not any("rel_pos" in name for name in decayed["params"])


@TWINS
def test_learning_rate_by_hand(twin):
    rates = [twin.learning_rate(step, 12, 1.0, 4, 0.2) for step in range(13)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[8] == pytest.approx(0.6)  # the middle of the cosine
    assert rates[12] == pytest.approx(0.2)
    assert all(a > b for a, b in pairwise(rates[4:]))


@TWINS
def test_one_step_of_adamw_by_hand(twin):
    """The step is θ(1 − lr λ) − lr m̂ / (√v̂ + ε); at first m̂ = g and v̂ = g²."""
    model = model_of(twin, embed_dim=4, depth=1, num_heads=1)
    parameters = dict(model.named_parameters())
    before = {name: array(a).astype(np.float64).copy() for name, a in model.state_dict().items()}
    for p in parameters.values():
        p.grad = tensor(twin, np.full(tuple(p.shape), 0.5, np.float32))
    optimizer = twin.AdamW(twin.parameter_groups(parameters.items(), 0.1, 7.0))
    optimizer.step(0.01)
    for name, after in model.state_dict().items():
        table = name.endswith("relative_position_bias_table")
        decay = 0.1 if len(before[name].shape) > 1 and not table and name != "cls_token" else 0.0
        rate = 0.07 if table else 0.01
        expected = before[name] * (1 - rate * decay) - rate
        np.testing.assert_array_less(np.abs(array(after) - expected), 1e-6, err_msg=name)


@TWINS
@pytest.mark.parametrize(("max_norm", "factor"), [(None, 1.0), (1e9, 1.0), (2.0, 0.2)])
def test_clipping_by_hand(twin, max_norm, factor):
    a, b = list(model_of(twin).parameters())[:2]
    for p in (a, b):
        p.grad = tensor(twin, np.zeros(tuple(p.shape), np.float32))
    a.grad.reshape(-1)[0], b.grad.reshape(-1)[0] = 6.0, 8.0
    assert twin.clip_grad_norm([a, b], max_norm) == pytest.approx(10.0)
    assert float(a.grad.reshape(-1)[0]) == pytest.approx(6 * factor)
    assert float(b.grad.reshape(-1)[0]) == pytest.approx(8 * factor)


@TWINS
def test_the_trainer_uses_what_it_is_given(twin):
    """Label smoothing, clipping, schedule and decay all have their effect on a step."""

    def step(**options):
        trainer = twin.Trainer(model_of(twin), 1e-2, 10, device="cpu", **options)
        result = trainer.train_step(np.asarray(array(images(twin))), np.array([0, 1, 2, 3]))
        return result, trainer.state_dict()[0]

    plain, weights = step()
    assert plain.lr == 1e-2
    assert step(warmup_steps=5)[0].lr == pytest.approx(2e-3)
    assert step(label_smoothing=0.5)[0].loss != plain.loss
    assert step(label_smoothing=0.5)[0].correct == plain.correct
    moment = "optimizer.exp_avg.head.weight"
    clipped, clipped_weights = step(clip_norm=plain.grad_norm / 2)
    assert clipped.grad_norm == plain.grad_norm
    free = step(clip_norm=None)[1][moment]
    np.testing.assert_allclose(clipped_weights[moment], free / 2, rtol=1e-4)
    decayed = step(weight_decay=0.5)[1]
    head, table = "model.head.weight", "model.blocks.0.attn.rel_pos.relative_position_bias_table"
    assert (decayed[head] != weights[head]).any()
    np.testing.assert_array_equal(decayed[table], weights[table])
    assert (step(table_lr_factor=1.0)[1][table] != weights[table]).any()


@TWINS
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": np.zeros(4)}, TypeError, "labels has dtype float64"),
        ({"labels": [0, 1, 2, 3]}, TypeError, "labels is a list"),
        ({"labels": np.zeros(3, int)}, ValueError, r"labels has shape \(3,\)"),
        (
            {"images": np.zeros((0, 1, 8, 8), np.float32), "labels": np.zeros(0, int)},
            ValueError,
            "at least one",
        ),
        (
            {"images": np.zeros((4, 1, 8, 6), np.float32)},
            ValueError,
            r"images has shape \(4, 1, 8, 6\)",
        ),
    ],
)
def test_a_bad_batch_is_named(twin, change, error, message):
    """The batch is refused before anything is computed: the state of the generator stays."""
    batch = {"images": np.zeros((4, 1, 8, 8), np.float32), "labels": np.arange(4)} | change
    trainer = twin.Trainer(model_of(twin, drop_rate=0.5), 1e-3, 10, device="cpu")
    before = trainer.state_dict()[1]
    with pytest.raises(error, match=message):
        trainer.train_step(**batch)
    assert trainer.state_dict()[1] == before


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


@TWINS
def test_a_generator_of_another_kind_changes_nothing(twin):
    trainer = twin.Trainer(model_of(twin), 1e-3, 10, device="cpu")
    arrays, progress = trainer.state_dict()
    other = twin.Trainer(model_of(twin), 1e-3, 10, device="cpu")
    moved = {name: a + 1 for name, a in arrays.items()}
    for spoiled in ({"step": 3}, progress | {"generator": {"bit_generator": "MT19937"}}):
        with pytest.raises(ValueError, match="generator"):
            other.load_state_dict(moved, spoiled)
        for name, a in other.state_dict()[0].items():
            np.testing.assert_array_equal(a, arrays[name])


def test_a_torch_generator_survives_the_state():
    options = SMALL | {"drop_rate": 0.5}
    trainers = [
        torch_impl.Trainer(
            torch_impl.VisionTransformer(**options, generator=torch.Generator().manual_seed(seed)),
            1e-3,
            9,
            device="cpu",
        )
        for seed in (0, 1)
    ]
    batch = np.asarray(array(images(torch_impl))), np.arange(4)
    trainers[0].train_step(*batch)
    trainers[1].load_state_dict(*trainers[0].state_dict())
    assert trainers[0].train_step(*batch) == trainers[1].train_step(*batch)


def test_half_precision_state_and_logits_are_arrays():
    trainer = torch_impl.Trainer(model_of(torch_impl, dtype="bfloat16"), 1e-3, 10, device="cpu")
    batch = np.asarray(array(images(torch_impl))), np.arange(4)
    trainer.train_step(*batch)
    assert trainer.predict(batch[0]).dtype == np.float32
    assert trainer.state_dict()[0]["model.head.weight"].dtype == np.float32
    assert math.isfinite(trainer.evaluate(*batch).loss)
