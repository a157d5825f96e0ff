"""The attention of windows is put back on the map, at the right place of the image."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments import plots
from experiments.data.split import Split
from experiments.pictures import save_pictures
from experiments.token_maps import TokenMap, attention_of_queries, token_maps
from numpy_ref import SwinTransformer, Trainer, VisionTransformer
from numpy_ref.ops import window_mask, window_partition_forward
from parity_tests import budget

MAPS = [
    ((14, 14), (7, 7), (3, 3)),
    ((4, 6), (2, 3), (1, 1)),
    ((4, 6), (2, 3), (0, 0)),
    ((7, 5), (3, 2), (1, 1)),  # padded
    ((5, 3), (2, 3), (1, 1)),  # no shift along an axis with one window
    ((3, 2), (4, 4), (2, 2)),  # smaller than the window
]


@pytest.mark.parametrize(("size", "window", "shift"), MAPS, ids=str)
def test_attention_is_found_where_the_partition_put_it(size, window, shift):
    """Each pair's entry of the attention is made of the two tokens' numbers, of their image and head."""
    batch, (height, width) = 2, size
    numbers = np.arange(height * width, dtype=float).reshape(1, height, width, 1)
    tokens, _ = window_partition_forward(numbers + 1, window, shift)  # 0 is padding
    tokens = tokens[..., 0] - 1
    maps = 100 * tokens[:, :, None] + tokens[:, None]  # (nW, L, L)
    maps = np.concatenate([maps + 1e5 * image for image in range(batch)])
    maps = np.stack([maps - 0.25, maps + 0.25], 1)  # two heads
    mask = window_mask(size, window, shift, np.float64)
    queries = list(range(height * width))
    token_map = TokenMap(size, (1, 1), True, window, shift)
    found = attention_of_queries(maps, token_map, queries).reshape(batch, len(queries), -1)
    expected = np.full_like(found, np.nan)
    for number, of_window in enumerate(tokens.astype(int)):
        for i, query in enumerate(of_window):
            for j, key in enumerate(of_window):
                if min(query, key) >= 0 and (mask is None or mask[number, 0, i, j] == 0):
                    expected[:, query, key] = 100 * query + key + 1e5 * np.arange(batch)
    np.testing.assert_array_equal(found, expected)


def test_what_is_left_out_is_what_the_model_masks():
    """A row of the model's probabilities has its whole sum where the picture shows something."""
    model = swin(window_size=2, dtype=np.float64)
    images = np.random.default_rng(1).standard_normal((3, 1, 8, 8))
    maps = model.attention_maps(images)
    for found, token_map in zip(maps, token_maps(model), strict=True):
        queries = list(range(int(np.prod(token_map.size))))
        seen = attention_of_queries(found, token_map, queries)
        sums = np.nansum(seen, (2, 3))
        assert budget.float64("sums", np.ones_like(sums), sums).ok
    assert np.isnan(seen).sum() == 0  # the last stage is one window
    assert np.isnan(attention_of_queries(maps[1], token_maps(model)[1], [0])).sum() == 3 * 15


def swin(**options):
    arguments = {"img_size": 8, "patch_size": 2, "in_chans": 1, "num_classes": 3, "embed_dim": 8}
    arguments |= {"depths": (2, 2), "num_heads": (2, 4)}
    return SwinTransformer(**arguments | options, generator=np.random.default_rng(0)).eval()


def test_the_maps_of_a_model():
    model = swin(img_size=(28, 20), depths=(2, 1, 1), num_heads=(1, 2, 2), window_size=(7, 3))
    assert token_maps(model) == [
        TokenMap((14, 10), (2, 2), True, (7, 3), (0, 0)),
        TokenMap((14, 10), (2, 2), True, (7, 3), (3, 1)),
        TokenMap((7, 5), (4, 4), True, (7, 3), (0, 0)),
        TokenMap((4, 3), (8, 8), True, (4, 3), (0, 0)),
    ]
    vit = VisionTransformer((8, 12), (2, 4), embed_dim=8, depth=2, num_heads=2)
    assert token_maps(vit) == [TokenMap((4, 3), (2, 4), False, (4, 3), (0, 0), 1)] * 2


def test_pictures_of_a_swin(tmp_path):
    """A bias for each block, over its own window."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((6, 1, 12, 20), dtype=np.float32)
    test = Split(images, np.arange(6) % 3)
    moments = {"mean": np.full(1, 0.5, np.float32), "std": np.full(1, 0.2, np.float32)}
    dataset = SimpleNamespace(test=test, classes=("a", "b", "c"), **moments)
    for version, layer in ((1, 1), (2, -1)):
        model = swin(version=version, img_size=(12, 20), window_size=(2, 4))
        folder = tmp_path / str(version)
        written = save_pictures(folder, Trainer(model, 1e-3, 10), dataset, [], layer=layer)
        biases = {f"bias_layers_{stage}_blocks_{n}" for stage in range(2) for n in range(2)}
        assert {path.stem for path in written} == biases | {"confusion", "one_query", "attention"}
        for path in written:
            with Image.open(path) as image:
                assert any(low != high for low, high in image.convert("RGB").getextrema())


def test_a_map_larger_than_its_image_is_cut():
    """A 28x28 image in 4x4 tokens of 8x8 pixels: the last row and column of tokens are half outside."""
    seen = np.arange(16.0).reshape(1, 1, 4, 4)
    figure = plots.window_attention_over_images(np.zeros((1, 1, 28, 28)), seen, (8, 8), [5])
    image, attention = figure.axes[1].images
    assert image.get_extent() == [-0.5, 3.0, 3.0, -0.5]
    assert attention.get_extent() == [-0.5, 3.5, 3.5, -0.5]
    assert figure.axes[1].axis() == (-0.5, 3.0, 3.0, -0.5)
    (frame,) = {patch.get_xy() for patch in figure.axes[1].patches}
    assert frame == (0.5, 0.5)
