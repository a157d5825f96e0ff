"""transformers' biases of documents and segments: LayoutLMv3, UDOP, CPM-Ant."""

import inspect
import math

import numpy as np
import torch
from torch import nn

from ._convert import projections
from ._import import original
from .agreement import Agreement, attention, scheme

layoutlmv3 = original("transformers.models.layoutlmv3.modeling_layoutlmv3")
udop = original("transformers.models.udop.modeling_udop")
cpmant = original("transformers.models.cpmant.modeling_cpmant")

WIDTH, HEADS = 12, 3
DIM = WIDTH // HEADS


def boxes(length):
    """Return random boxes (1, L, 4): left, top, right, bottom."""
    corner = np.random.default_rng(3).integers(0, 60, (1, length, 4))
    return torch.tensor(np.sort(corner.reshape(1, length, 2, 2), axis=2).reshape(1, length, 4))


LAYOUT_TABLES = ("rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias")
LAYOUT_SIZES = (8, 20), (16, 40), (16, 40)  # (number of buckets, largest distance) of each table


def layoutlmv3_state(p):
    """Map the parameters; the original's tables (heads, buckets) are divided by √d with the scores."""
    tables = {
        f"rel_pos.parts.{n}.relative_position_bias_table": p[f"{name}.weight"].T / math.sqrt(DIM)
        for n, name in enumerate(LAYOUT_TABLES)
    }
    names = [f"attention.{name}" for name in ("query", "key", "value")]
    return {**projections(p, names, None), **tables}


def layoutlmv3_biases(encoder, buckets, box):
    """Return the 1-D bias and the sum of the x and y biases.

    transformers looks up its tables under no_grad, so they get no gradient. Here they are looked up with
    its buckets and a gradient, and compared with its own results.
    """
    tables = [getattr(encoder, name).weight.T for name in LAYOUT_TABLES]
    line, x, y = (
        table[bucket].permute(0, 3, 1, 2) for table, bucket in zip(tables, buckets, strict=True)
    )
    assert torch.equal(line, encoder._cal_1d_pos_emb(torch.arange(10)[None]))
    assert torch.equal(x + y, encoder._cal_2d_pos_emb(box))
    return line, x + y


def test_layoutlmv3(agree):
    """LayoutLMv3: the sum of a 1-D bias, one of x (left) and one of y (bottom)."""
    (bins, reach), (plane_bins, plane_reach), _ = LAYOUT_SIZES
    sizes = {"rel_pos_bins": bins, "max_rel_pos": reach}
    sizes |= {"rel_2d_pos_bins": plane_bins, "max_rel_2d_pos": plane_reach}
    config = layoutlmv3.LayoutLMv3Config(
        hidden_size=WIDTH, num_attention_heads=HEADS, num_hidden_layers=1, **sizes
    )
    encoder, box = layoutlmv3.LayoutLMv3Encoder(config), boxes(10)
    tables = {name: getattr(encoder, name) for name in LAYOUT_TABLES}
    parts = nn.ModuleDict({"attention": layoutlmv3.LayoutLMv3SelfAttention(config), **tables})
    places = torch.arange(10)[None], box[..., 0], box[..., 3]
    buckets = [
        encoder.relative_position_bucket(at[:, None] - at[..., None], True, *size)
        for at, size in zip(places, LAYOUT_SIZES, strict=True)
    ]

    def theirs(x):
        line, plane = layoutlmv3_biases(encoder, buckets, box)
        takes = inspect.signature(parts["attention"].forward).parameters
        if "rel_pos" in takes:  # transformers 5.23 and before
            return parts["attention"](x, rel_pos=line, rel_2d_pos=plane)[0]
        return parts["attention"](x, position_bias=(line + plane) / math.sqrt(DIM))[0]

    line = {"bias_type": "t5", "num_buckets": bins, "max_distance": reach}
    plane = [{"bias_type": "custom", "index": b[0].numpy(), "num_rows": 16} for b in buckets[1:]]
    agree(
        Agreement(
            attention(WIDTH, HEADS, "sum", 10, parts=(line, *plane)),
            parts,
            theirs,
            layoutlmv3_state,
            {"x": (2, 10, WIDTH)},
        )
    )


def udop_state(p):
    tables = (p[f"biases.{n}.relative_attention_bias.weight"] for n in range(3))
    return {f"parts.{n}.relative_position_bias_table": table for n, table in enumerate(tables)}


def test_udop(agree):
    """UDOP: the same sum alone, with the centres of boxes in [0, 1), multiplied by 100."""
    sizes = {"num_heads": HEADS, "relative_attention_num_buckets": 8}
    line = udop.RelativePositionBias1D(max_distance=20, **sizes)
    plane = [udop.RelativePositionBiasHorizontal(**sizes), udop.RelativePositionBiasVertical(**sizes)]
    layer = udop.RelativePositionBiasAggregated([line, *plane])
    box, mask = boxes(10) / 60, torch.ones(1, 10)
    parts = [
        {"bias_type": "custom", "index": each.get_bucket(mask, box)[0].numpy(), "num_rows": 8}
        for each in plane
    ]
    agree(
        Agreement(
            scheme(
                HEADS,
                "sum",
                10,
                parts=({"bias_type": "t5", "num_buckets": 8, "max_distance": 20}, *parts),
            ),
            layer,
            lambda: layer(mask, box)[0],
            udop_state,
        )
    )


def test_cpmant(agree):
    """CPM-Ant: T5's buckets within a segment, and a row per pair of different segments.

    The original's index is read off with a table whose entries are the numbers of its rows.
    """
    config = cpmant.CpmAntConfig(
        num_attention_heads=HEADS,
        position_bias_num_buckets=8,
        position_bias_max_distance=20,
        segment_types=2,
    )
    layer = cpmant.CpmAntSegmentPositionEmbedding(config)
    positions, segments = torch.arange(10)[None], (torch.arange(10)[None] >= 6).long()

    def theirs():
        return layer(positions, positions, segments, segments)[0]

    layer.relative_attention_bias.data = torch.arange(12.0)[:, None].repeat(1, HEADS)
    index = theirs()[0].long()
    agree(
        Agreement(
            scheme(HEADS, "custom", 10, index=index.numpy(), num_rows=12),
            layer,
            theirs,
            lambda p: {"relative_position_bias_table": p["relative_attention_bias"]},
        )
    )
