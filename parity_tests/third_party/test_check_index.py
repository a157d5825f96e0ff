"""`check_index` recognises the originals' own indices, and says how to reorder their tables."""

import numpy as np
import pytest
import torch

from ..check_index import check_index
from ._import import original

timm_swin = original("timm.models.swin_transformer")
timm_swinv2 = original("timm.models.swin_transformer_v2")
timm_beit = original("timm.models.beit")
timm_levit = original("timm.models.levit")
tiny_vit = original("timm.models.tiny_vit")
efficientformer = original("timm.models.efficientformer")
sam = original("timm.models.vision_transformer_sam")
pos_embed_rel = original("timm.layers.pos_embed_rel")
lambda_layer = original("timm.layers.lambda_layer")
vision_swin = original("torchvision.models.swin_transformer")
vision_maxvit = original("torchvision.models.maxvit")
video_swin = original("torchvision.models.video.swin_transformer")
swin = original("transformers.models.swin.modeling_swin")
beit = original("transformers.models.beit.modeling_beit")
data2vec = original("transformers.models.data2vec.modeling_data2vec_vision")
levit = original("transformers.models.levit.modeling_levit")
t5 = original("transformers.models.t5.modeling_t5")
mpnet = original("transformers.models.mpnet.modeling_mpnet")

WINDOW = (3, 5)
BUCKETS = {"num_buckets": 32, "max_distance": 128}


def rows_of(bias_of, table):
    """Return the index that a module reads: its bias for a table of the rows' numbers."""
    numbers = torch.arange(table.numel(), dtype=torch.float64).reshape(table.shape)
    return bias_of(numbers).round().long()


def read_by_maxvit():
    layer = pos_embed_rel.RelPosBiasTf(WINDOW, 1).double()

    def bias_of(numbers):
        layer.relative_position_bias_table.data = numbers
        return layer.get_bias().reshape(15, 15)

    return rows_of(bias_of, layer.relative_position_bias_table)


def read_by_sam():
    """The rows and columns that each axis's own function reads, over the whole window."""
    axes = [sam.get_rel_pos(size, size, torch.arange(2.0 * size - 1)[:, None]) for size in WINDOW]
    y, x = (rows[..., 0].long() for rows in axes)
    shape = (*WINDOW, *WINDOW)
    y, x = y[:, None, :, None].expand(shape), x[None, :, None, :].expand(shape)
    return torch.stack([y.reshape(15, 15), x.reshape(15, 15)])


def t5_buckets(bucket, **options):
    place = torch.arange(300)
    return bucket(place[None] - place[:, None], **BUCKETS, **options)


INDICES = {  # name: (the index, window, prefix tokens, convention)
    "timm swin": (lambda: timm_swin.get_relative_position_index(*WINDOW), WINDOW, 0, "swin"),
    "timm swinv2": (
        lambda: timm_swinv2.WindowAttention(12, WINDOW, 3).relative_position_index,
        WINDOW,
        0,
        "swin",
    ),
    "timm beit": (lambda: timm_beit.gen_relative_position_index(WINDOW), WINDOW, 1, "swin"),
    "timm relpos": (lambda: pos_embed_rel.gen_relative_position_index(WINDOW), WINDOW, 0, "swin"),
    "timm relpos, class token": (
        lambda: pos_embed_rel.gen_relative_position_index(WINDOW, class_token=True),
        WINDOW,
        1,
        "swin",
    ),
    "torchvision swin": (
        lambda: vision_swin.ShiftedWindowAttention(12, [3, 5], [0, 0], 3).relative_position_index,
        WINDOW,
        0,
        "swin",
    ),
    "torchvision video swin": (
        lambda: video_swin.ShiftedWindowAttention3d(12, [2, 3, 4], [0, 0, 0], 3).relative_position_index,
        (2, 3, 4),
        0,
        "swin",
    ),
    "torchvision maxvit": (
        lambda: vision_maxvit._get_relative_position_index(*WINDOW),
        WINDOW,
        0,
        "swin",
    ),
    "transformers swin": (
        lambda: (
            swin.SwinAttention(
                swin.SwinConfig(), 12, 3, 4
            ).relative_position_bias.relative_position_index
        ),
        (4, 4),
        0,
        "swin",
    ),
    "transformers beit": (
        lambda: beit.BeitRelativePositionBias.generate_relative_position_index(WINDOW),
        WINDOW,
        1,
        "swin",
    ),
    "transformers data2vec": (
        lambda: data2vec.Data2VecVisionRelativePositionBias.generate_relative_position_index(WINDOW),
        WINDOW,
        1,
        "swin",
    ),
    "timm RelPosBiasTf": (read_by_maxvit, WINDOW, 0, "maxvit"),
    "timm levit": (
        lambda: timm_levit.Attention(12, 4, 3, attn_ratio=1, resolution=WINDOW).attention_bias_idxs,
        WINDOW,
        0,
        "levit",
    ),
    "timm tiny_vit": (
        lambda: tiny_vit.Attention(12, 4, 3, attn_ratio=1, resolution=WINDOW).attention_bias_idxs,
        WINDOW,
        0,
        "levit",
    ),
    "timm efficientformer": (
        lambda: efficientformer.Attention(12, 4, 3, resolution=WINDOW).attention_bias_idxs,
        WINDOW,
        0,
        "levit",
    ),
    "transformers levit": (
        lambda: levit.LevitAttention(12, 4, 3, 1, 5).attention_bias_idxs,
        (5, 5),
        0,
        "levit",
    ),
    "transformers t5 encoder": (
        lambda: t5_buckets(t5.T5Attention._relative_position_bucket, bidirectional=True),
        (300,),
        0,
        "t5",
    ),
    "transformers t5 decoder": (
        lambda: t5_buckets(t5.T5Attention._relative_position_bucket, bidirectional=False),
        (300,),
        0,
        "t5_decoder",
    ),
    "transformers mpnet": (
        lambda: t5_buckets(mpnet.MPNetEncoder.relative_position_bucket),
        (300,),
        0,
        "t5",
    ),
    "timm sam": (read_by_sam, WINDOW, 0, "decomposed"),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_originals_index_is_recognised(name):
    build, window, prefix, convention = INDICES[name]
    index = np.asarray(build())
    assert check_index(index, window, prefix, convention).ok
    per_axis = convention == "decomposed"
    report = check_index(index, window, prefix, convention if per_axis else "swin")
    assert report.recognised == convention
    assert report.ok == (convention in ("swin", "decomposed"))
    if convention in ("maxvit", "levit"):
        expected = timm_swin.get_relative_position_index(*window).numpy()
        assert report.permutation.shape == (expected.max() + 1,)
        np.testing.assert_array_equal(report.permutation[expected], index)


def test_a_tensor_is_taken():
    assert check_index(timm_swin.get_relative_position_index(*WINDOW), WINDOW).ok


def test_lambda_layers_have_the_opposite_sign_along_each_axis():
    """LambdaNetworks count key − query; the tables of both axes are reversed."""
    planes = lambda_layer.rel_pos_indices(WINDOW)
    report = check_index(planes, WINDOW, convention="decomposed")
    assert report.kinds == ["sign", "sign"]
    for permutation, size in zip(report.permutation, WINDOW, strict=True):
        np.testing.assert_array_equal(permutation, np.arange(2 * size - 1)[::-1])


def test_a_mended_table_gives_the_originals_bias():
    """RelPosBiasTf's bias from its own table, reordered by the permutation, under our index."""
    layer = pos_embed_rel.RelPosBiasTf(WINDOW, 3).double()
    planes = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 5, 9)))
    layer.relative_position_bias_table.data = planes
    permutation = check_index(read_by_maxvit(), WINDOW).permutation
    table_here = planes.flatten(1).T.numpy()[permutation]
    bias = table_here[timm_swin.get_relative_position_index(*WINDOW)].transpose(2, 0, 1)
    np.testing.assert_array_equal(bias, layer.get_bias().detach().numpy().reshape(3, 15, 15))
