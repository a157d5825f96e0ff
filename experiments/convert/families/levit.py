"""LeViT (arXiv 2104.01136), with its attention of linear layers; here: the tables only.

Sizes: T, U, V, W channels of the stem, F of the head, N classes. Of a stage: d channels, r rows of the
table, h heads, g of queries, keys and values together, v of values, m hidden features of the MLP. Of the
attention that begins a stage: p channels before it, q rows, i heads, k of keys and values, l of queries,
o of values.
"""

from collections import Counter
from math import isqrt

import numpy as np

from ..names import Pattern
from ..numbering import Numbering
from ..rules import TRANSPOSED, Arguments, Family, Place, Via

FORMATS = ("timm", "transformers", "facebook", "here")
TABLE, INDEX = "attention_biases", "attention_bias_idxs"
ATTENTION, MLP = "stages.{i}.blocks.{j}.attn.", "stages.{i}.blocks.{j}.mlp."
SHRINKING = "stages.{i}.downsample."  # between the stages: an attention with fewer queries, and an MLP


def normed(place, linear, here, transformers, facebook, weight="linear", **when):
    """Return the rules of a layer without bias, whose shape is `linear`, and of the batch norm after it.

    weight: what transformers calls the layer, beside its batch_norm.
    """
    return (
        *place.rule(
            linear,
            f"{here}.linear.weight",
            transformers=f"{transformers}.{weight}.weight",
            facebook=f"{facebook}.c.weight",
            **when,
        ),
        *batch_norm(place, linear.split()[0], here, transformers, facebook, **when),
    )


def batch_norm(place, size, here, transformers, facebook, **when):
    return tuple(
        rule
        for shape, name in (
            (size, "weight"),
            (size, "bias"),
            (size, "running_mean"),
            (size, "running_var"),
            ("", "num_batches_tracked"),
        )
        for rule in place.rule(
            shape,
            f"{here}.bn.{name}",
            transformers=f"{transformers}.batch_norm.{name}",
            facebook=f"{facebook}.bn.{name}",
            **when,
        )
    )


def table(place, shape, **when):
    """Return the rule of a table, which is (heads, rows) but here (rows, heads), in the same order."""
    theirs = dict.fromkeys(("timm", "transformers", "facebook"), Via(TABLE, TRANSPOSED))
    return place.rule(shape, "rel_pos.relative_position_bias_table", tells=True, **theirs, **when)


def mlp(place, hidden, **when):
    return (
        *normed(place, f"{hidden} d", "ln1", "linear_up", "0", **when),
        *normed(place, f"d {hidden}", "ln2", "linear_down", "2", **when),
    )


def head(here, transformers, facebook):
    root = Place(FORMATS, "")
    linear = {"transformers": f"{transformers}.linear.*", "facebook": f"{facebook}.l.*"}
    return (
        *batch_norm(root, "F", here, transformers, facebook, group=here, optional=True),
        *root.rule("N F", f"{here}.linear.*", **linear, group=here, optional=True),
    )


def rules():
    stem = Place(FORMATS, "stem.", transformers="levit.patch_embeddings.", facebook="patch_embed.")
    attention, features = Place(FORMATS, ATTENTION), Place(FORMATS, MLP)
    shrinking = Place(FORMATS, f"{SHRINKING}attn_downsample.")
    return (
        *(
            rule
            for n, shape in enumerate(("T 3 3 3", "U T 3 3", "V U 3 3", "W V 3 3"))
            for rule in normed(
                stem, shape, f"conv{n + 1}", f"embedding_layer_{n + 1}", str(2 * n), "convolution"
            )
        ),
        *table(attention, "r h"),
        *normed(attention, "g d", "qkv", "queries_keys_values", "qkv"),
        *normed(attention, "d v", "proj.ln", "projection", "proj.1"),
        *mlp(features, "m"),
        *table(shrinking, "q i", first=1),
        *normed(shrinking, "k p", "kv", "keys_values", "kv", first=1),
        *normed(shrinking, "l p", "q.ln", "queries", "q.1", first=1),
        *normed(shrinking, "d o", "proj.ln", "projection", "proj.1", first=1),
        *mlp(Place(FORMATS, f"{SHRINKING}mlp."), "n", first=1),
        *head("head", "classifier", "head"),
        *head("head_dist", "classifier_distill", "head_dist"),
    )


def arguments(model, options):
    """Return the sides of the squares that the tables tell: of each stage, and of the keys before it."""
    names = {"r": "sides", "q": "sides_before"}
    values = {name: _sides(letter, model.sizes[letter]) for letter, name in names.items()}
    return Arguments(None, values)


def _sides(letter, numbers):
    for rows in numbers:
        if rows is not None and isqrt(rows) ** 2 != rows:
            raise ValueError(f"a table has {rows} rows, expected a square number: a square image")
    return [rows and isqrt(rows) for rows in numbers]


def index(arguments, at):
    """Return the row of each query and key: |dy| · side + |dx|."""
    return _distances(arguments.values["sides"][at[0]], 1)


def shrinking_index(arguments, at):
    """Return the same where every second row and column has the queries."""
    return _distances(arguments.values["sides_before"][at[0]], 2)


def _distances(side, stride):
    keys = np.indices((side, side))
    queries = keys[:, ::stride, ::stride].reshape(2, -1, 1)
    dy, dx = np.abs(queries - keys.reshape(2, 1, -1))
    return dy * side + dx


def buffers():
    theirs = dict.fromkeys(("timm", "transformers", "facebook"), INDEX)
    attention, shrinking = Place(FORMATS, ATTENTION), Place(FORMATS, f"{SHRINKING}attn_downsample.")
    return (
        attention.buffer("t t", index, ("facebook",), **theirs),
        shrinking.buffer("t s", shrinking_index, ("facebook",), first=1, **theirs),
    )


def numbering(layers, inside):
    """Return the Numbering of a format in which attentions and MLPs alternate in lists of layers.

    layers: the prefix of a stage's list, or of the one list. inside: what a layer puts around the
    attention or MLP, but not around the attention that begins a stage, which is at the end of the list.
    """
    tables = _, shrinking = [Pattern(f"{layers}{{j}}.{part}{TABLE}") for part in (inside, "")]

    def depths(names):
        counts = [0]
        places = [(pattern.match(name), pattern is shrinking) for name in names for pattern in tables]
        for _, begins in sorted(place for place in places if place[0]):
            if begins:
                counts.append(0)
            else:
                counts[-1] += 1
        return counts

    def prefixes(depths):
        found, lengths = {}, Counter()

        def append(stage, ours, inside):
            theirs = layers.format(i=stage)
            found[ours] = f"{theirs}{lengths[theirs]}.{inside}"
            lengths[theirs] += 1

        for i, depth in enumerate(depths):
            if i:
                append(i - 1, f"{SHRINKING}attn_downsample.".format(i=i), "")
                append(i - 1, f"{SHRINKING}mlp.".format(i=i), inside)
            for j in range(depth):
                append(i, ATTENTION.format(i=i, j=j), inside)
                append(i, MLP.format(i=i, j=j), inside)
        return found

    return Numbering(depths, prefixes)


FAMILIES = (
    Family(
        "levit",
        FORMATS,
        rules(),
        buffers=buffers(),
        arguments=arguments,
        aliases={
            "transformers": ((r"^(?=patch_embeddings\.|encoder\.)", "levit."),)  # of a LevitModel
        },
        numbering={
            "transformers": numbering("levit.encoder.stages.{i}.layers.", "module."),
            "facebook": numbering("blocks.", "m."),
        },
    ),
)
