"""The checks of modules: inputs, gradients, numbers of tokens, the order of calls."""

import numpy as np
import pytest

import numpy_ref
import torch_impl

from .both import TWINS, array, tensor

GRID = {"embed_dim": 12, "num_heads": 3}
VIT = {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 3}


def attention(twin, bias_type, **options):
    rpb = {"window_size": (2, 3), "bias_type": bias_type}
    return twin.MultiHeadAttention(**GRID, rpb_kwargs=rpb | options.pop("rpb", {}), **options)


def scheme(twin, bias_type, **options):
    return twin.RelativePositionBias(3, (2, 3), bias_type, **options)


TOKENS, HEADS, IMAGES = {"x": (2, 6, 12)}, {"q": (2, 3, 6, 4)}, {"images": (2, 1, 8, 8)}
MAP, WINDOW = {"x": (2, 5, 6, 12)}, {"window_size": (2, 3), "shift_size": 1}
SWIN = {"img_size": 8, "patch_size": 2, "in_chans": 1, "num_classes": 5, "embed_dim": 12}
SWIN |= {"depths": (2, 2), "num_heads": (3, 3), "window_size": 2}
KEYS = HEADS | {"k": (2, 3, 6, 4)}
MODULES = {  # name: (build, {argument: shape}, name of backward's argument)
    "attention": (lambda t: attention(t, "2d"), TOKENS, "dout"),
    "attention_cosine": (lambda t: attention(t, "log_cpb", cosine_attention=True), TOKENS, "dout"),
    "attention_drop": (lambda t: attention(t, "2d", attn_drop=0.5, proj_drop=0.5), TOKENS, "dout"),
    "attention_query": (lambda t: attention(t, "irpe", rpb={"rpe_on": "qkv"}), TOKENS, "dout"),
    "vit": (lambda t: t.VisionTransformer(**VIT), IMAGES, "dlogits"),
    "vit_shared": (lambda t: t.VisionTransformer(**VIT, position="shared_relative"), IMAGES, "dlogits"),
    "swin": (lambda t: t.SwinTransformer(**SWIN), IMAGES, "dout"),
    "swin_block": (lambda t: t.SwinTransformerBlock(**GRID, **WINDOW), MAP, "dout"),
    "swin_block_v2": (lambda t: t.SwinTransformerBlock(**GRID, **WINDOW, version=2), MAP, "dout"),
    "patches": (lambda t: layers(t).PatchEmbed(8, 4, 1, 12), IMAGES, "dout"),
    "mlp": (lambda t: layers(t).Mlp(12, 24), TOKENS, "dout"),
    "mlp_drop": (lambda t: layers(t).Mlp(12, 24, drop=0.5), TOKENS, "dout"),
    "linear": (lambda t: layers(t).Linear(12, 4), TOKENS, "dout"),
    "norm": (lambda t: layers(t).LayerNorm(12), TOKENS, "dout"),
    "gelu": (lambda t: layers(t).GELU(), TOKENS, "dout"),
    "relu": (lambda t: layers(t).ReLU(), TOKENS, "dout"),
    "silu": (lambda t: layers(t).SiLU(), TOKENS, "dout"),
    "block": (lambda t: t.Block(**GRID, rpb_kwargs={"window_size": (2, 3)}), TOKENS, "dout"),
    "dropout": (lambda t: layers(t).Dropout(0.5), TOKENS, "dout"),
    "path": (lambda t: layers(t).DropPath(0.5), TOKENS, "dout"),
    "2d": (lambda t: scheme(t, "2d"), {}, "dbias"),
    "alibi": (lambda t: scheme(t, "alibi", learned_slopes=True), {}, "dbias"),
    "fire": (lambda t: scheme(t, "fire"), {}, "dbias"),
    "sum": (lambda t: scheme(t, "sum", parts=[{}, {"bias_type": "1d"}]), {}, "dbias"),
    "shaw": (lambda t: scheme(t, "shaw", head_dim=4), HEADS, "dbias"),
    "halo": (lambda t: scheme(t, "halo", head_dim=4), HEADS, "dbias"),
    "gated_t5": (lambda t: scheme(t, "gated_t5", head_dim=4), HEADS, "dbias"),
    "transformer_xl": (lambda t: scheme(t, "transformer_xl", head_dim=4), KEYS, "dbias"),
    "irpe": (lambda t: scheme(t, "irpe", head_dim=4, rpe_on="qk"), KEYS, "dbias"),
}
ANY_WIDTH = ("dropout", "path", "gelu", "relu", "silu")
ANY_AXES = (*ANY_WIDTH, "linear", "norm", "mlp", "mlp_drop")


def layers(twin):
    return twin.nn if twin is numpy_ref else torch_impl.nn


def given_to(shapes):
    return {name: np.random.default_rng(0).standard_normal(s, np.float32) for name, s in shapes.items()}


BAD_INPUTS = {
    "integers": (lambda a: a.astype(np.int64), TypeError),
    "bool": (lambda a: a > 0, TypeError),
    "list": (lambda a: a.tolist(), TypeError),
    "none": (lambda a: None, (TypeError, ValueError)),
    "axes": (lambda a: a[0], ValueError),
    "last": (lambda a: a[..., :-1].copy(), ValueError),
}


@TWINS
@pytest.mark.parametrize("bad", BAD_INPUTS)
@pytest.mark.parametrize("name", [n for n, (_, shapes, _) in MODULES.items() if shapes])
def test_an_input_that_does_not_fit_is_named(name, bad, twin):
    build, shapes, _ = MODULES[name]
    if (bad == "axes" and name in ANY_AXES) or (bad == "last" and name in ANY_WIDTH):
        return  # these modules accept it
    spoil, error = BAD_INPUTS[bad]
    module, given = build(twin), given_to(shapes)
    for argument in shapes:
        spoiled = given | {argument: spoil(given[argument])}
        with pytest.raises(error, match=rf"\b{argument} (is|has)"):
            module(
                **{n: tensor(twin, a) if isinstance(a, np.ndarray) else a for n, a in spoiled.items()}
            )


@TWINS
@pytest.mark.parametrize("name", [n for n, (_, s, _) in MODULES.items() if s and n not in ANY_WIDTH])
def test_an_input_of_another_dtype_than_the_parameters_is_a_type_error(name, twin):
    build, shapes, _ = MODULES[name]
    given = {n: tensor(twin, a.astype(np.float64)) for n, a in given_to(shapes).items()}
    with pytest.raises(TypeError, match=r"share one dtype, got .*float64.*float32"):
        build(twin)(**given)


BAD_GRADIENTS = {
    "wide": (lambda a: a.astype(np.float64), TypeError),
    "half": (lambda a: a.astype(np.float16), TypeError),
    "integers": (lambda a: a.astype(np.int64), TypeError),
    "list": (lambda a: a.tolist(), TypeError),
    "masked": (np.ma.masked_invalid, TypeError),
    "axis": (lambda a: a[None], ValueError),
    "short": (lambda a: a[..., :-1], ValueError),
    "first": (lambda a: a[:1], ValueError),
}


@pytest.mark.parametrize("ops", ["numpy", "numba"])
@pytest.mark.parametrize("bad", BAD_GRADIENTS)
@pytest.mark.parametrize("name", MODULES)
def test_a_gradient_that_does_not_fit_is_named(name, bad, ops):
    build, shapes, argument = MODULES[name]
    spoil, error = BAD_GRADIENTS[bad]
    with numpy_ref.use_ops(ops):
        module = build(numpy_ref)
        out = module(**given_to(shapes))
        before = {n: p.grad.copy() for n, p in module.named_parameters()}
        with pytest.raises(error, match=rf"\b{argument} (is|has)"):
            module.backward(spoil(out))
        for n, p in module.named_parameters():
            np.testing.assert_array_equal(p.grad, before[n], err_msg=n)


@pytest.mark.parametrize("ops", ["numpy", "numba"])
@pytest.mark.parametrize("name", MODULES)
def test_backward_needs_a_forward_of_its_own(name, ops):
    """A backward before any forward, or a second one after the same forward, is a RuntimeError."""
    build, shapes, _ = MODULES[name]
    with numpy_ref.use_ops(ops):
        module, given = build(numpy_ref), given_to(shapes)
        out = build(numpy_ref)(**given)
        with pytest.raises(RuntimeError, match=r"backward needs a forward of its own before it"):
            module.backward(out)
        module(**given)
        module.backward(out)
        before = {n: p.grad.copy() for n, p in module.named_parameters()}
        with pytest.raises(RuntimeError, match=r"backward needs a forward of its own before it"):
            module.backward(out)
        for n, p in module.named_parameters():
            np.testing.assert_array_equal(p.grad, before[n], err_msg=n)
        module(**given)
        module.backward(out)


@TWINS
@pytest.mark.parametrize("no_integer", [[6], "6", b"x", 6.0, None, True, int, np.array(6), np.ones(2)])
def test_the_number_of_tokens_is_an_integer(twin, no_integer):
    with pytest.raises(TypeError, match=r"^num_tokens is .*, expected an integer"):
        scheme(twin, "2d").lookup_tokens(no_integer)


@TWINS
@pytest.mark.parametrize("bias_type", ["1d", "2d", "alibi", "t5"])
def test_the_number_of_tokens_is_one_that_the_scheme_covers(twin, bias_type):
    """Refused are 0, more tokens than the table has offsets for, and more than an index can have."""
    built = scheme(twin, bias_type)
    assert array(built.lookup_tokens(np.uint8(6))[1]).shape == (6, 6)
    for number in (0, -1, 10**9) if bias_type in ("alibi", "t5") else (0, -1, 5000, 10**9):
        with pytest.raises(ValueError, match=r"^num_tokens\b"):
            built.lookup_tokens(number)


@TWINS
@pytest.mark.parametrize("bias_type", ["1d", "2d", "halo", "levit"])
def test_a_sequence_that_the_scheme_does_not_cover_is_named(twin, bias_type):
    for call in ("forward", "attention_weights"):
        with pytest.raises(ValueError, match=r"^x: got 7 tokens, but "):
            getattr(attention(twin, bias_type), call)(tensor(twin, np.ones((2, 7, 12), np.float32)))
