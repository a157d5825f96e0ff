"""MaxViT (arXiv 2204.01697): timm's models with "tf" in the name, and google-research/maxvit.

Sizes: C channels of an image, S, T of the stem, F of the last stage, G hidden features of the head, N
classes. Of a stage: d channels, h heads, m channels inside the convolutions, s of squeeze and excite,
f hidden features of the MLP, v × w a table of the grid. Of a block: x channels of its input, y × z a
table of the window. The tables count key − query in all three formats, see the scheme "maxvit".
"""

import re

import numpy as np

from ..rules import TRANSPOSED, Family, Place, Transform, Via

FORMATS = ("timm", "google", "here")
HEAD = 32  # channels of a head in google's models
CONVOLUTION = Transform(lambda a: a.transpose(3, 2, 0, 1), lambda a: a.transpose(2, 3, 1, 0))
DEPTHWISE = Transform(lambda a: a.transpose(2, 3, 0, 1), lambda a: a.transpose(2, 3, 0, 1))


def _read_inputs(whole):
    """Return (3 · heads · channels, d) of queries, keys and values, each (d, heads, channels)."""
    parts = whole.reshape(3, len(whole) // 3, -1)
    return np.concatenate([part.T for part in parts])


def _write_inputs(whole):
    return np.concatenate([part.T.reshape(whole.shape[1], -1, HEAD) for part in np.split(whole, 3)])


INPUTS = Transform(_read_inputs, _write_inputs)
INPUT_BIAS = Transform(lambda a: a.reshape(-1), lambda a: a.reshape(-1, HEAD))
OUTPUT = Transform(lambda a: a.reshape(-1, a.shape[-1]).T, lambda a: a.T.reshape(-1, HEAD, a.shape[0]))


class Scopes:
    """TensorFlow's names: scopes with slashes, and two digits for a stage or a block."""

    def read(self, names):
        dotted = (name.replace("/", ".") for name in names)
        return [
            re.sub(r"\bblock_(\d+)_(\d+)\b", lambda m: f"block.{int(m[1])}.{int(m[2])}", name)
            for name in dotted
        ]

    def write(self, names, depths):
        return [
            re.sub(r"\bblock\.(\d+|\*)\.(\d+|\*)", _digits, name).replace(".", "/") for name in names
        ]


def _digits(match):
    return "_".join(["block", *(n.zfill(2) if n.isdigit() else n for n in match.groups())])


def norm(place, size, here, google):
    return (
        *place.rule(size, f"{here}.weight", google=f"{google}.gamma"),
        *place.rule(size, f"{here}.bias", google=f"{google}.beta"),
    )


def batch_norm(place, size, here, google):
    """Return the rules of a batch norm; TensorFlow does not count the batches."""
    return (
        *norm(place, size, here, google),
        *place.rule(size, f"{here}.running_mean", google=f"{google}.moving_mean"),
        *place.rule(size, f"{here}.running_var", google=f"{google}.moving_variance"),
        *place.rule("", f"{here}.num_batches_tracked", google=None, group="counters", optional=True),
    )


def convolution(place, shape, here, google, bias=True, **when):
    rules = place.rule(shape, f"{here}.weight", google=Via(f"{google}.kernel", CONVOLUTION), **when)
    if bias:
        rules += place.rule(shape.split()[0], f"{here}.bias", google=f"{google}.bias", **when)
    return rules


def linear(place, shape, here, google):
    return (
        *place.rule(shape, f"{here}.weight", google=Via(f"{google}.weight", TRANSPOSED)),
        *place.rule(shape.split()[0], f"{here}.bias", google=f"{google}.bias"),
    )


def convolutions():
    place = Place(FORMATS, "stages.{i}.blocks.{j}.conv.", google="maxvit.block.{i}.{j}.mbconv.")
    depthwise = Via("depthwise_conv.depthwise_kernel", DEPTHWISE)
    return (
        *convolution(place, "d x 1 1", "shortcut.expand", "shortcut_conv", some=True),
        *batch_norm(place, "x", "pre_norm", "pre_norm"),
        *convolution(place, "m x 1 1", "conv1_1x1", "expand_conv", bias=False),
        *batch_norm(place, "m", "norm1", "expand_norm"),
        *place.rule("m 1 3 3", "conv2_kxk.weight", google=depthwise),
        *batch_norm(place, "m", "norm2", "depthwise_norm"),
        *convolution(place, "s m 1 1", "se.fc1", "se.reduce_conv2d"),
        *convolution(place, "m s 1 1", "se.fc2", "se.expand_conv2d"),
        *convolution(place, "d m 1 1", "conv3_1x1", "shrink_conv"),
    )


def transformer(name, number, table):
    """Return the rules of an attention and its MLP; number: what google puts after their names."""
    place = Place(FORMATS, f"stages.{{i}}.blocks.{{j}}.{name}.", google="maxvit.block.{i}.{j}.")
    attention, mlp = f"attention{number}", f"ffn{number}"
    weights, biases = (
        tuple(f"{attention}.{part}.{end}" for part in "qkv") for end in ("weight", "bias")
    )
    return (
        *norm(place, "d", "norm1", f"attn_layer_norm{number}"),
        *place.rule("3d d", "attn.qkv.weight", google=Via(weights, INPUTS)),
        *place.rule("3d", "attn.qkv.bias", google=Via(biases, INPUT_BIAS)),
        *place.rule(
            table,
            "attn.rel_pos.relative_position_bias_table",
            google=f"{attention}.relative_bias",
            tells=True,
        ),
        *place.rule("d d", "attn.proj.weight", google=Via(f"{attention}.o.weight", OUTPUT)),
        *place.rule("d", "attn.proj.bias", google=f"{attention}.o.bias"),
        *norm(place, "d", "norm2", f"ffn_layer_norm{number}"),
        *linear(place, "f d", "mlp.fc1", f"{mlp}.expand_dense"),
        *linear(place, "d f", "mlp.fc2", f"{mlp}.shrink_dense"),
    )


def rules():
    stem = Place(FORMATS, "stem.", google="maxvit.stem.")
    head = Place(FORMATS, "head.", google="maxvit.")
    return (
        *convolution(stem, "S C 3 3", "conv1", "conv_0"),
        *batch_norm(stem, "S", "norm1", "norm_0"),
        *convolution(stem, "T S 3 3", "conv2", "conv_1"),
        *convolutions(),
        *transformer("attn_block", "", "h y z"),
        *transformer("attn_grid", "_1", "h v w"),
        *norm(head, "F", "norm", "final_layer_norm"),
        *linear(head, "G F", "pre_logits.fc", "cls_head.inner_dense"),
        *linear(head, "N G", "fc", "cls_head.logit_dense"),
    )


FAMILIES = (
    Family(
        "maxvit",
        FORMATS,
        rules(),
        aliases={"google": ((r"^[^/]+/(?=stem/|block_|final_layer_norm/|cls_head/)", "maxvit/"),)},
        numbering={"google": Scopes()},
    ),
)
