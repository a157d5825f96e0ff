"""Swin's window attention of transformers and of timm, with the same weights as ours."""

from dataclasses import replace

import pytest

from parity_tests.third_party._convert import TABLE, fused, projections
from parity_tests.third_party._import import original

from ..workloads import weights_of
from ._contestant import CannotRunError
from ._torch import contestant, tensors

NAMES = ("q_proj", "k_proj", "v_proj")


def make(name, work, given, backward, device):
    """Make the contestant; name: "timm", "transformers eager" or "transformers sdpa"."""
    package, _, kind = name.partition(" ")
    weights = tensors(weights_of(work), "cpu")
    layer, ours = _timm(work, weights) if package == "timm" else _transformers(work, weights, kind)
    layer.to(device).train(backward)
    x = tensors(given, device, ["x"] if backward else [])
    leaves = {"dx": x["x"]} | dict(layer.named_parameters())
    made = contestant(lambda: _first(layer(x["x"])), leaves, x["dout"], backward, device)
    return replace(made, named=lambda results: _renamed(results, ours))


def _renamed(results, ours):
    """Return the results with each gradient under the name of our parameter."""
    results = dict(results)
    kept = {name: results.pop(name) for name in ("out", "dx") if name in results}
    return kept | ({f"grad.{name}": a for name, a in ours(results).items()} if results else {})


def _timm(work, weights):
    swin = _import("timm.models.swin_transformer")
    layer = swin.WindowAttention(work.width, work.heads, window_size=(work.window, work.window))
    _load(layer, {name.removeprefix("rel_pos."): a for name, a in weights.items()})
    return layer, lambda p: {**fused(p), TABLE: p[TABLE.removeprefix("rel_pos.")]}


def _transformers(work, weights, kind):
    swin = _import("transformers.models.swin.modeling_swin")
    config = swin.SwinConfig()
    config._attn_implementation = kind
    layer = swin.SwinAttention(config, work.width, work.heads, work.window)
    table = TABLE.replace("rel_pos", "relative_position_bias")
    theirs = {table: weights[TABLE]}
    for part in ("weight", "bias"):
        theirs[f"o_proj.{part}"] = weights[f"proj.{part}"]
        chunks = weights[f"qkv.{part}"].chunk(3)
        theirs |= {f"{name}.{part}": rows for name, rows in zip(NAMES, chunks, strict=True)}
    _load(layer, theirs)
    return layer, lambda p: {**projections(p, NAMES, "o_proj"), TABLE: p[table]}


def _load(layer, state):
    """Load the weights; a buffer that `state` lacks (the layer's index) keeps its value."""
    layer.load_state_dict(layer.state_dict() | state)


def _import(name):
    try:
        return original(name)
    except pytest.skip.Exception as error:  # `original` skips the test where the package is missing
        raise CannotRunError(str(error)) from error


def _first(out):
    return out[0] if isinstance(out, tuple) else out
