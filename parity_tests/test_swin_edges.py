"""Swin's parts at their edges: empty batches, maps without rows, odd arguments, unfit schemes."""

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, tensor
from .small_models import assert_same_state
from .test_swin import SMALL, window_op

V2 = {"version": 2, "pretrained_window_sizes": (6, 6)}


def empty(twin, *shape):
    return tensor(twin, np.zeros(shape, np.float32))


@TWINS
def test_a_batch_without_images(twin):
    windows, residual = empty(twin, 0, 4, 3), empty(twin, 0, 4, 4, 3)
    for more in ((), (residual,)):
        assert window_op(twin, "window_reverse")(windows, (4, 4), 2, 1, *more).shape == (0, 4, 4, 3)
    for version in (1, 2):
        model = twin.SwinTransformer(**SMALL, version=version)
        logits = model(empty(twin, 0, 1, 12, 16))
        assert logits.shape == (0, 5)
        if twin is numpy_ref:
            assert model.backward(logits).shape == (0, 1, 12, 16)


@TWINS
@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_a_map_without_rows_or_columns_is_named(twin, size):
    with pytest.raises(
        ValueError, match=rf"x has shape \(2, {size[0]}, {size[1]}, 8\), expected at least"
    ):
        window_op(twin, "window_partition")(empty(twin, 2, *size, 8), 2)
    for version in (1, 2):
        block = twin.SwinTransformerBlock(8, 2, version=version, window_size=2)
        for method in (block.forward, block.attention_weights):
            with pytest.raises(ValueError, match="expected at least one row and one column"):
                method(empty(twin, 2, *size, 8))


BAD_MAPS = [
    ([[1.0]], TypeError, "x is a list"),
    (None, TypeError, "x is a NoneType"),
    (np.zeros((1, 4, 4, 8), np.int64), TypeError, "x has dtype (torch.)?int64"),
    (np.zeros((1, 4, 8), np.float32), ValueError, r"x has shape \(1, 4, 8\), expected \(any, any,"),
    (np.zeros((1, 4, 4, 7), np.float32), ValueError, r"x has shape \(1, 4, 4, 7\), expected"),
]


@TWINS
@pytest.mark.parametrize(("x", "error", "message"), BAD_MAPS, ids=[message for *_, message in BAD_MAPS])
def test_a_bad_map_is_named(twin, x, error, message):
    """The same error wherever a map goes in, with the shape that was given."""
    x = tensor(twin, x) if isinstance(x, np.ndarray) else x
    blocks = [twin.SwinTransformerBlock(8, 2, version=version, window_size=2) for version in (1, 2)]
    methods = [method for block in blocks for method in (block.forward, block.attention_weights)]
    for method in (*methods, twin.swin_block.PatchMerging(8).forward):
        with pytest.raises(error, match=message):
            method(x)


@TWINS
@pytest.mark.parametrize("version", [1, 2])
def test_channels_may_be_a_small_integer_type(twin, version):
    """4 · 100 does not fit into eight bits."""
    merging = twin.swin_block.PatchMerging(np.uint8(100), version=version)
    assert tuple(merging.reduction.weight.shape) == (200, 400)
    assert tuple(merging.norm.weight.shape) == (400 if version == 1 else 200,)


@TWINS
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"version": np.array([1, 2])}, ValueError, "version is array"),
        ({"version": 1.0}, ValueError, r"version is 1\.0, expected 1 or 2"),
        (V2 | {"rpb_kwargs": "log_cpb"}, TypeError, "rpb_kwargs is 'log_cpb', expected a dict"),
        (V2 | {"rpb_kwargs": [1]}, TypeError, r"rpb_kwargs is \[1\], expected a dict"),
        (
            {"version": 2, "pretrained_window_sizes": ((0, 6), 6)},
            ValueError,
            "pretrained_window_size is 0",
        ),
        (
            {"rpb_kwargs": {"num_prefix_tokens": 1}},
            ValueError,
            "rpb_kwargs has num_prefix_tokens 1, but a window has none",
        ),
        (
            {"rpb_kwargs": {"bias_type": "levit", "stride": 2}},
            ValueError,
            r"rpb_kwargs makes \(2, 2\) queries of the window \(4, 3\)",
        ),
        ({"rpb_kwargs": {"bias_type": "halo", "halo_size": 1}}, ValueError, "queries of the window"),
        ({"use_relative_position": np.array([1, 0])}, TypeError, "^use_relative_position is array"),
        ({"always_partition": 1}, TypeError, "^always_partition is 1, expected True or False"),
        ({"features_only": 1}, TypeError, "^features_only is 1, expected True or False"),
        ({"norm_eps": "small"}, TypeError, "^norm_eps is 'small'"),
        ({"drop_rate": None}, TypeError, "^drop_rate is None"),
        ({"proj_drop_rate": 2}, ValueError, "^proj_drop_rate is 2"),
        ({"attn_drop_rate": np.nan}, ValueError, "^attn_drop_rate is nan"),
        ({"rpb_kwargs": {"window_size": (4, 3, 1)}}, ValueError, r"window_size is \(4, 3, 1\)"),
    ],
)
def test_bad_options_are_named(twin, options, error, message):
    with pytest.raises(error, match=message):
        twin.SwinTransformer(**SMALL | options)


@TWINS
def test_a_window_in_the_schemes_options_is_kept_in_a_folder(twin, tmp_path):
    """JSON has no tuples; an int is a window too."""
    one_stage = SMALL | {"depths": (2,), "num_heads": (2,), "window_size": 3}
    for n, window in enumerate(((3, 3), [3, 3], 3)):
        model = twin.SwinTransformer(**one_stage, rpb_kwargs={"window_size": window})
        model.save_pretrained(tmp_path / str(n))
        assert_same_state(model, twin.SwinTransformer.from_pretrained(tmp_path / str(n)))
