"""Faults of training that both twins could share: groups, schedule, AdamW, clipping, the trainer."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import torch_impl

from . import budget
from .both import TWINS, array, tensor
from .trainers import batch, model_of, trainer_of


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
    assert all(name.endswith(matrices) for name in decayed["param_names"])
    assert tables["param_names"] == ["shared_rel_pos.relative_position_bias_table"]
    undecayed = {"cls_token", "pos_embed", "norm.weight", "blocks.0.attn.logit_scale"}
    assert undecayed | {"blocks.0.attn.rel_pos.cpb_mlp.0.weight"} <= set(plain["param_names"])
    for group in (decayed, plain, tables):
        for name, p in zip(group["param_names"], group["params"], strict=True):
            assert p is named[name]
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
    assert {name.split(".")[-1] for name in tables["param_names"]} == expected
    assert not any("rel_pos" in name for name in decayed["param_names"])


@TWINS
def test_groups_have_their_own_rate_if_asked(twin):
    named = list(model_of(twin).named_parameters())
    assert [g["lr"] for g in twin.parameter_groups(named, 0.1, 7.0, lr=0.5)] == [0.5, 0.5, 3.5]
    assert not any("lr" in group for group in twin.parameter_groups(named, 0.1, 7.0))


@pytest.mark.parametrize("position", ["relative", "none"])  # with a table, and without
def test_pytorchs_adamw_takes_the_groups(position):
    """It does the same steps as ours, and its schedulers keep the ratio of the rates."""
    ours, theirs = (
        model_of(torch_impl, dtype="float64", position=position, generator=np.random.default_rng(0))
        for _ in range(2)
    )
    adamw = torch_impl.AdamW(torch_impl.parameter_groups(ours.named_parameters(), 0.1, 7.0))
    groups = torch_impl.parameter_groups(theirs.named_parameters(), 0.1, 7.0, lr=1e-2)
    optimizer = torch.optim.AdamW(groups, eps=1e-8)
    halved = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for step in range(3):
        for model in (ours, theirs):
            for n, p in enumerate(model.parameters()):
                p.grad = torch.cos(torch.arange(p.numel()).double() + n + step).reshape(p.shape)
        adamw.step(1e-2 * 0.5**step)
        optimizer.step()
        halved.step()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert budget.float64(name, p.detach(), q.detach()).ok, name
    assert optimizer.param_groups[0]["param_names"] == groups[0]["param_names"]


@TWINS
def test_learning_rate_by_hand(twin):
    rates = [twin.learning_rate(step, 12, 1.0, 4, 0.2) for step in range(13)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    middle, end = rates[8], rates[12]
    assert budget.float64("rates", [0.6, 0.2], [middle, end]).ok
    assert all(a > b for a, b in pairwise(rates[4:]))


@TWINS
def test_one_step_of_adamw_by_hand(twin):
    """The step is θ(1 − lr λ) − lr m̂ / (√v̂ + ε); at first m̂ = g and v̂ = g²."""
    model = model_of(twin, embed_dim=4, num_heads=1, dtype="float64")
    parameters = dict(model.named_parameters())
    before = {name: array(a).copy() for name, a in model.state_dict().items()}
    for p in parameters.values():
        p.grad = tensor(twin, np.full(tuple(p.shape), 0.5))
    optimizer = twin.AdamW(twin.parameter_groups(parameters.items(), 0.1, 7.0))
    optimizer.step(0.01)
    for name, after in model.state_dict().items():
        table = name.endswith("relative_position_bias_table")
        decay = 0.1 if len(before[name].shape) > 1 and not table and name != "cls_token" else 0.0
        rate = 0.07 if table else 0.01
        expected = before[name] * (1 - rate * decay) - rate * 0.5 / (0.5 + 1e-8)
        assert budget.float64(name, expected, array(after)).ok, name


@TWINS
@pytest.mark.parametrize(
    ("max_norm", "factor"), [(None, 1.0), (1e9, 1.0), (2.0, 2 / (10 + 1e-6))], ids=str
)
def test_clipping_by_hand(twin, max_norm, factor):
    a, b = list(model_of(twin, dtype="float64").parameters())[:2]
    for p in (a, b):
        p.grad = tensor(twin, np.zeros(tuple(p.shape)))
    a.grad.reshape(-1)[0], b.grad.reshape(-1)[0] = 6.0, 8.0
    norm = twin.clip_grad_norm([a, b], max_norm)
    clipped = [float(p.grad.reshape(-1)[0]) for p in (a, b)]
    assert budget.float64("clipped", [10.0, 6 * factor, 8 * factor], [norm, *clipped]).ok


@TWINS
def test_the_trainer_uses_what_it_is_given(twin):
    """Label smoothing, clipping, schedule and decay all have their effect on a step."""

    def step(**options):
        trainer = trainer_of(twin, model_of(twin, dtype="float64"), lr=1e-2, **options)
        return trainer.train_step(*batch()), trainer.state_dict()[0]

    plain, weights = step()
    assert plain.lr == 1e-2
    assert budget.float64("lr", 2e-3, step(warmup_steps=5)[0].lr).ok
    assert step(label_smoothing=0.5)[0].loss != plain.loss
    assert step(label_smoothing=0.5)[0].correct == plain.correct
    moment = "optimizer.exp_avg.head.weight"
    clip_norm = plain.grad_norm / 2
    clipped, clipped_weights = step(clip_norm=clip_norm)
    assert clipped.grad_norm == plain.grad_norm
    free = step(clip_norm=None)[1][moment]
    expected = free * clip_norm / (plain.grad_norm + 1e-6)
    assert budget.float64(moment, expected, clipped_weights[moment]).ok
    decayed = step(weight_decay=0.5)[1]
    head, table = "model.head.weight", "model.blocks.0.attn.rel_pos.relative_position_bias_table"
    assert (decayed[head] != weights[head]).any()
    np.testing.assert_array_equal(decayed[table], weights[table])
    assert (step(table_lr_factor=1.0)[1][table] != weights[table]).any()


@TWINS
def test_a_generator_of_another_kind_changes_nothing(twin):
    trainer = trainer_of(twin)
    arrays, progress = trainer.state_dict()
    other = trainer_of(twin)
    moved = {name: a + 1 for name, a in arrays.items()}
    for spoiled in ({"step": 3}, progress | {"generator": {"bit_generator": "MT19937"}}):
        with pytest.raises(ValueError, match="generator"):
            other.load_state_dict(moved, spoiled)
        for name, a in other.state_dict()[0].items():
            np.testing.assert_array_equal(a, arrays[name])


def test_a_torch_generator_survives_the_state():
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    models = [model_of(torch_impl, drop_rate=0.5, generator=each) for each in generators]
    trainers = [trainer_of(torch_impl, model) for model in models]
    trainers[0].train_step(*batch())
    trainers[1].load_state_dict(*trainers[0].state_dict())
    assert trainers[0].train_step(*batch()) == trainers[1].train_step(*batch())


def test_half_precision_state_and_logits_are_arrays():
    trainer = trainer_of(torch_impl, model_of(torch_impl, dtype="bfloat16"))
    trainer.train_step(*batch())
    assert trainer.predict(batch()[0]).dtype == np.float32
    assert trainer.state_dict()[0]["model.head.weight"].dtype == np.float32
    assert math.isfinite(trainer.evaluate(*batch()).loss)
