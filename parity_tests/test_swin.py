"""Swin's windows, shift, mask and stages against figures by hand and plain loops; bad arguments."""

import numpy as np
import pytest
import torch

import numpy_ref
import numpy_ref.ops
import torch_impl
import torch_impl.ops

from . import budget
from .both import TWINS, array, fill, float64, normal, tensor
from .cases.geometry import shift_mask

GRIDS = [  # size of the map, window, shift
    ((4, 4), (2, 2), (1, 1)),
    ((6, 15), (3, 5), (1, 2)),
    ((5, 7), (3, 4), (1, 2)),
    ((3, 9), (3, 4), (2, 3)),
    ((1, 1), (7, 7), (3, 3)),
    ((14, 14), (7, 7), (3, 3)),
]
each_grid = pytest.mark.parametrize(("size", "window", "shift"), GRIDS)


def window_op(twin, name):
    """Return an op of windows of either twin that returns only the result."""
    if twin is torch_impl:
        return getattr(torch_impl.ops, name)
    return lambda *arguments: getattr(numpy_ref.ops, f"{name}_forward")(*arguments)[0]


@TWINS
def test_a_shift_of_four_by_four_by_hand(twin):
    """The windows of the map 0 … 15 in rows of four, before and after a shift by (1, 1)."""
    x = tensor(twin, np.arange(16.0).reshape(1, 4, 4, 1))
    partition = window_op(twin, "window_partition")
    plain, shifted = (array(partition(x, 2, shift))[..., 0] for shift in (0, 1))
    np.testing.assert_array_equal(plain, [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]])
    np.testing.assert_array_equal(
        shifted, [[5, 6, 9, 10], [7, 4, 11, 8], [13, 14, 1, 2], [15, 12, 3, 0]]
    )


@TWINS
def test_the_mask_of_four_by_four_by_hand(twin):
    """Second window: 7 and 11 came from the right, 4 and 8 from the left; the last: four corners."""
    ops = numpy_ref.ops if twin is numpy_ref else torch_impl.ops
    mask = array(ops.window_mask((4, 4), 2, 1))[:, 0]
    none, across = np.zeros((4, 4)), np.array([[0, -100] * 2, [-100, 0] * 2] * 2)
    down = np.kron([[0, -100], [-100, 0]], np.ones((2, 2)))
    np.testing.assert_array_equal(mask, [none, across, down, -100 * (1 - np.eye(4))])


@TWINS
@each_grid
def test_windows_by_plain_loops(twin, size, window, shift):
    """The formula of `window_partition`, token by token; a single window is not shifted."""
    x = normal(2, *size, 3)
    padded = [-(-n // w) * w for n, w in zip(size, window, strict=True)]
    shift = [s if p > w else 0 for s, p, w in zip(shift, padded, window, strict=True)]
    expected = []
    for image in x:
        for m in range(padded[0] // window[0]):
            for n in range(padded[1] // window[1]):
                for i in range(window[0]):
                    for j in range(window[1]):
                        row = (m * window[0] + i + shift[0]) % padded[0]
                        column = (n * window[1] + j + shift[1]) % padded[1]
                        inside = row < size[0] and column < size[1]
                        expected.append(image[row, column] if inside else np.zeros(3))
    found = array(window_op(twin, "window_partition")(tensor(twin, x), window, tuple(shift)))
    np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


@TWINS
@each_grid
def test_reverse_undoes_partition(twin, size, window, shift):
    x = tensor(twin, normal(2, *size, 3))
    windows = window_op(twin, "window_partition")(x, window, shift)
    back = window_op(twin, "window_reverse")(windows, size, window, shift)
    np.testing.assert_array_equal(array(back), array(x))


@TWINS
@each_grid
def test_the_mask_by_plain_loops(twin, size, window, shift):
    ops = numpy_ref.ops if twin is numpy_ref else torch_impl.ops
    padded = [-(-n // w) * w for n, w in zip(size, window, strict=True)]
    used = [s if p > w else 0 for s, p, w in zip(shift, padded, window, strict=True)]
    mask = ops.window_mask(size, window, shift)
    if not any(used):
        assert mask is None
        return
    np.testing.assert_array_equal(array(mask), shift_mask(padded, window, used))


@TWINS
def test_merging_by_hand(twin):
    """Upper left, lower left, upper right, lower right; an odd width has zeros on the right."""
    x = tensor(twin, np.arange(1.0, 7.0).reshape(1, 2, 3, 1))
    merged = array(window_op(twin, "patch_merging")(x))
    np.testing.assert_array_equal(merged[0, 0], [[1, 4, 2, 5], [3, 6, 0, 0]])


SMALL = {"img_size": (12, 16), "patch_size": 2, "in_chans": 1, "num_classes": 5, "embed_dim": 8}
SMALL |= {"depths": (2, 2), "num_heads": (2, 4), "window_size": (4, 3)}


@TWINS
def test_windows_and_shifts_of_the_stages(twin):
    """The map of 6×8 has whole windows; that of 3×4 is as high as three rows, so its window is too."""
    model = twin.SwinTransformer(**SMALL)
    blocks = [block for stage in model.layers for block in stage.blocks]
    assert [block.window_size for block in blocks] == [(4, 3), (4, 3), (3, 3), (3, 3)]
    assert [block.shift_size for block in blocks] == [(0, 0), (2, 1), (0, 0), (1, 1)]
    whole = twin.SwinTransformer(**SMALL, always_partition=True)
    assert {block.window_size for stage in whole.layers for block in stage.blocks} == {(4, 3)}


@TWINS
@pytest.mark.parametrize("version", [1, 2])
def test_stochastic_depth_grows_over_the_blocks(twin, version):
    model = twin.SwinTransformer(**SMALL, version=version, drop_path_rate=0.3)
    rates = [block.drop_path1.rate for stage in model.layers for block in stage.blocks]
    np.testing.assert_array_equal(rates, [0.3 * n / 3 for n in range(4)])


@TWINS
def test_a_block_of_version_2_begins_as_the_identity(twin):
    block = twin.SwinTransformerBlock(8, 2, version=2, window_size=2, shift_size=1, dtype=float64(twin))
    x = tensor(twin, normal(2, 4, 4, 8))
    np.testing.assert_array_equal(array(block(x)), array(x))


@TWINS
def test_attention_maps_are_those_of_the_windows(twin):
    """6×8 tokens are 2 · 3 windows of 4×3, padded below and on the right; then 1 · 2 of 3×3."""
    model = twin.SwinTransformer(**SMALL, dtype=float64(twin)).eval()
    maps = model.attention_maps(tensor(twin, normal(3, 1, 12, 16)))
    shapes = [(3 * 6, 2, 12, 12)] * 2 + [(3 * 2, 4, 9, 9)] * 2
    assert [tuple(m.shape) for m in maps] == shapes
    for probabilities in maps:
        sums = array(probabilities).sum(-1)
        assert budget.float64("sums", np.ones_like(sums), sums).ok


@TWINS
def test_every_scheme_of_the_model_is_listed(twin):
    names = [f"layers.{s}.blocks.{n}.attn.rel_pos" for s in range(2) for n in range(2)]
    assert list(twin.SwinTransformer(**SMALL).rel_pos_biases()) == names
    assert twin.SwinTransformer(**SMALL, use_relative_position=False).rel_pos_biases() == {}


@TWINS
def test_features_leave_out_what_they_do_not_need(twin):
    model = twin.SwinTransformer(**SMALL, features_only=True, out_indices=(0,))
    assert {name.split(".")[0] for name in model.state_dict()} == {"patch_embed", "layers"}
    assert len(model.layers) == 1
    (x,) = model(tensor(twin, normal(2, 1, 12, 16).astype(np.float32)))
    assert tuple(x.shape) == (2, 6, 8, 8)


@TWINS
def test_presets(twin):
    """Swin-T has 28.3 million parameters, as the paper says."""
    model = twin.SwinTransformer.preset("swin_tiny_patch4_window7_224", num_classes=1000)
    assert sum(int(np.prod(a.shape)) for a in model.state_dict().values()) == 28_288_354
    small = twin.SwinTransformer.preset("swinv2_tiny_window8_256", **SMALL)
    assert small.patch_embed.img_size == (12, 16)
    with pytest.raises(ValueError, match="name is 'swin_huge', expected one of 'swin_tiny_"):
        twin.SwinTransformer.preset("swin_huge")


@TWINS
@pytest.mark.parametrize("strict", [True, False])
def test_other_images(twin, strict):
    """Other sizes are allowed if asked for, as long as the patch divides them."""
    model = twin.SwinTransformer(**SMALL, strict_img_size=strict)
    images = tensor(twin, np.zeros((1, 1, 14, 10), np.float32))
    if strict:
        with pytest.raises(ValueError, match=r"images has shape \(1, 1, 14, 10\), expected"):
            model(images)
        return
    assert tuple(model(images).shape) == (1, 5)
    with pytest.raises(ValueError, match="expected multiples of the patch size 2x2"):
        model(tensor(twin, np.zeros((1, 1, 13, 10), np.float32)))


def test_the_mask_follows_the_module():
    """In half precision and in float64 the mask has the map's dtype, so that dtypes are not mixed."""
    for dtype in (torch.bfloat16, torch.float64):
        block = torch_impl.SwinTransformerBlock(8, 2, window_size=2, shift_size=1, dtype=dtype)
        assert block(torch.ones(1, 4, 4, 8, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_padded_tokens_are_finite_in_half_precision(dtype):
    """A padded token has the key 0: in float16 its norm's guard would be 0, its gradient infinite."""
    block = torch_impl.SwinTransformerBlock(8, 2, version=2, window_size=3, dtype=dtype)
    fill(torch_impl, block)
    x = torch.from_numpy(normal(1, 4, 4, 8)).to(dtype).requires_grad_()
    out = block(x)
    out.backward(torch.from_numpy(normal(*out.shape, seed=2)).to(dtype))
    found = {"out": out, "dx": x.grad} | {n: p.grad for n, p in block.named_parameters()}
    assert [name for name, a in found.items() if not a.isfinite().all()] == []
