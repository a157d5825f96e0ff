"""Schemes with their initial parameters, which the cases with random weights do not test."""

import math

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget
from .both import TWINS, array
from .test_schemes_static import SLOPES

SMALL = {"img_size": 8, "patch_size": 2, "embed_dim": 16, "depth": 3, "num_heads": 2}


@TWINS
def test_learned_slopes_begin_at_the_fixed_ones(twin):
    scheme = twin.RelativePositionBias(3, 5, "alibi", learned_slopes=True, dtype="float64")
    assert budget.float64("slopes", SLOPES[3], array(scheme.slopes)).ok


@TWINS
@pytest.mark.parametrize("kernel", ["log", "power"])
def test_kerple_begins_where_the_original_does(twin, kernel):
    """p is drawn from U(0, 2) and a from U(0, 1): over 4000 heads the means are 1 and 1/2 within 5 σ."""
    generator = np.random.default_rng(0)
    scheme = twin.RelativePositionBias(4000, 1, "kerple", kernel=kernel, generator=generator)
    state = {name: array(a) for name, a in scheme.state_dict().items()}
    p = np.exp(state["log_p"]) if kernel == "log" else 2 / (1 + np.exp(-state["logit_p"]))
    for values, high in ((p, 2), (np.exp(state["log_a"]), 1)):
        assert 0 < values.min() < values.max() < high
        assert abs(values.mean() - high / 2) < 5 * high / math.sqrt(12 * 4000) + 0.005


def test_fire_at_its_threshold_from_the_start():
    """The initial threshold is exactly init_length; at a position equal to it the twins must agree."""
    grads = []
    for twin in (numpy_ref, torch_impl):
        scheme = twin.RelativePositionBias(
            2, 6, "fire", init_length=3, dtype="float64", generator=np.random.default_rng(0)
        )
        bias = scheme()
        dbias = np.random.default_rng(1).standard_normal(tuple(bias.shape))
        if twin is numpy_ref:
            scheme.backward(dbias)
        else:
            bias.backward(torch.from_numpy(dbias))
        grads.append({name: array(p.grad) for name, p in scheme.named_parameters()})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        assert budget.float64(name, grad, grads[1][name]).ok, name


@TWINS
def test_dynamic_1d_with_norms_begins_with_gradients_of_order_one(twin):
    """With hidden biases of zero, Δ = 0 would give a constant row, whose norm scales by 1/√eps."""
    norms = {}
    for norm in (False, True):
        options = {"bias_type": "dynamic_1d", "norm": norm, "depth": 4}
        trainer = twin.Trainer(
            twin.VisionTransformer(**SMALL, rpb_kwargs=options, generator=np.random.default_rng(0)),
            lr=1e-3,
            total_steps=2,
            device="cpu",
        )
        x = np.random.default_rng(1).standard_normal((4, 1, 8, 8), dtype=np.float32)
        norms[norm] = trainer.train_step(x, np.arange(4)).grad_norm
    assert norms[True] < 10 * norms[False]
