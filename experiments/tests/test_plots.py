"""Pictures: the numbers they show, their colours, and files that are written whole or not at all."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from experiments import plots
from experiments.data.split import Split
from experiments.pictures import patch_bias, save_pictures, write_picture
from experiments.plots.style import symmetric_limit
from numpy_ref import RelativePositionBias, Trainer, VisionTransformer
from parity_tests import budget

METRICS = [
    {
        "epoch": 1,
        "lr": 1e-3,
        "train_loss": 2.0,
        "train_accuracy": 0.3,
        "val_loss": 1.9,
        "val_accuracy": 0.4,
    },
    {
        "epoch": 2,
        "lr": 5e-4,
        "train_loss": 1.0,
        "train_accuracy": 0.7,
        "val_loss": 1.2,
        "val_accuracy": 0.6,
    },
]


def scheme(bias_type, window, num_heads=3, **options):
    generator = np.random.default_rng(0)
    return RelativePositionBias(num_heads, window, bias_type, 1.0, generator=generator, **options)


def images_of(figure):
    return [image for ax in figure.axes for image in ax.images]


def trainer_and_dataset(classes=3, **options):
    """Return an untrained model for 8x8 images in 4x4 patches of 2x2, and 12 random images."""
    rng = np.random.default_rng(0)
    model = VisionTransformer(
        8, 2, 1, classes, embed_dim=8, depth=2, num_heads=2, generator=rng, **options
    )
    images = rng.standard_normal((12, 1, 8, 8), dtype=np.float32)
    test = Split(images, np.arange(12) % classes)
    names = tuple(f"class {n}" for n in range(classes))
    moments = {"mean": np.full(1, 0.5, np.float32), "std": np.full(1, 0.2, np.float32)}
    return Trainer(model, 1e-3, 10), SimpleNamespace(test=test, classes=names, **moments)


@pytest.mark.parametrize(
    ("bias_type", "grid"),
    [("1d", (7,)), ("2d", (4, 4)), ("2d", (2, 5)), ("2d", (5, 1)), ("log_cpb", (3, 2))],
)
def test_bias_by_offset_is_the_table(bias_type, grid):
    rpb = scheme(bias_type, grid)
    shape = tuple(2 * size - 1 for size in grid)
    expected = rpb.table().T.reshape(3, *shape)
    np.testing.assert_array_equal(plots.bias_by_offset(rpb(), grid), expected)


def test_offset_is_query_minus_key():
    bias = np.zeros((1, 6, 6))
    bias[0, 5, 0] = 1  # from (1, 2) to (0, 0) on a 2x3 grid: Δ = (1, 2), the last of 3x5 offsets
    assert plots.bias_by_offset(bias, (2, 3))[0, 2, 4] == 1


def test_bias_by_offset_is_a_mean():
    bias = np.arange(9.0).reshape(1, 3, 3)
    np.testing.assert_array_equal(plots.bias_by_offset(bias, (3,)), [[2, 3, 4, 5, 6]])


def test_bias_by_offset_rejects_prefix_tokens():
    with pytest.raises(ValueError, match=r"\(3, 17, 17\).*prefix"):
        plots.bias_by_offset(scheme("2d", (4, 4), num_prefix_tokens=1)(), (4, 4))


@pytest.mark.parametrize("grid", [(6,), (4, 4), (2, 5)])
def test_offset_counts(grid):
    counts = plots.count_offsets(grid)
    assert counts.sum() == np.prod(grid) ** 2
    assert counts.max() == counts[tuple(size - 1 for size in grid)] == np.prod(grid)
    np.testing.assert_array_equal(counts, np.flip(counts))
    assert counts.flat[0] == 1


def test_causal_minus_infinity():
    bias = scheme("alibi", (6,), causal=True)()
    by_offset = plots.bias_by_offset(bias, (6,))
    assert np.isneginf(by_offset[:, :5]).all()
    np.testing.assert_array_equal(by_offset[:, 5:], bias[:, :, 0])
    figure = plots.bias_over_offsets(bias, (2, 3))
    assert "masked" in figure.get_suptitle()
    for image in images_of(figure):
        assert np.isfinite(image.get_clim()).all()
        assert image.get_array().mask.sum() == 7  # of 3x5 offsets, those before (0, 0)
    lines = plots.bias_over_offsets(bias, (6,)).axes[0].lines[:3]
    assert all(np.isnan(line.get_ydata()[:5]).all() for line in lines)


@pytest.mark.parametrize(
    "draw",
    [
        lambda bias: plots.bias_over_offsets(bias, (3, 3)),
        lambda bias: plots.one_query(bias, (3, 3), 4),
        lambda bias: plots.before_after(0.01 * bias, bias, (3, 3)),
        lambda bias: plots.compare_schemes({"one": bias}, (3, 3)),
    ],
)
def test_colours_are_centred_at_zero_and_shared(draw):
    limits = {image.get_clim() for image in images_of(draw(scheme("2d", (3, 3))()))}
    ((low, high),) = limits
    assert low == -high < 0


def test_symmetric_limit():
    assert symmetric_limit(np.array([-3.0, 2.0, -np.inf]), np.array([1.0])) == 3
    assert symmetric_limit(np.zeros(2)) == 1


def test_level_goes_only_where_zero_is_outside():
    mixed = scheme("2d", (3, 3))().astype(float)
    assert plots.without_level(mixed)[1] is False
    for distant in (mixed + 10, mixed - 10):
        shown, removed = plots.without_level(distant)
        assert removed
        assert budget.float64("", mixed - mixed.mean((1, 2), keepdims=True), shown).ok
    assert plots.without_level(scheme("alibi", (5,), causal=True)())[1] is False


def test_one_query_shows_its_row():
    bias = scheme("2d", (2, 4))()
    figure = plots.one_query(bias, (2, 4), 6)
    for head, image in enumerate(images_of(figure)[:3]):
        np.testing.assert_array_equal(image.get_array(), bias[head, 6].reshape(2, 4))


def test_confusion_counts():
    figure = plots.confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2]), ("a", "b", "c"))
    counts = images_of(figure)[0].get_array().filled(0)
    np.testing.assert_array_equal(counts, [[1, 0, 1], [0, 1, 0], [0, 0, 1]])
    assert len(figure.axes[0].texts) == 4  # numbers where there is something to count
    assert "75.0%" in figure.get_suptitle()


def test_many_classes_have_no_numbers():
    labels = np.arange(130)
    figure = plots.confusion_matrix(labels, labels, [f"class {n}" for n in labels])
    assert not figure.axes[0].texts
    assert len(figure.axes[0].get_xticks()) <= 40


def test_curves_show_every_epoch_and_take_one():
    figure = plots.training_curves(METRICS)
    train, val = figure.axes[1].lines
    np.testing.assert_array_equal(train.get_ydata(), [30, 70])
    np.testing.assert_array_equal(val.get_ydata(), [40, 60])
    plots.training_curves(METRICS[:1])


def test_attention_views():
    rng = np.random.default_rng(0)
    images, maps = rng.random((2, 3, 8, 8)), rng.random((2, 4, 5, 5))

    def views(*args):
        line = plots.attention_over_images(images, *args).axes[1:]
        return [ax.images[1].get_array() for ax in line if len(ax.images) > 1]

    with_token = views(maps, (2, 2), 1)
    assert len(with_token) == 8
    np.testing.assert_array_equal(with_token[0], maps[0, 0, 0, 1:].reshape(2, 2))
    patches = maps[:, :, 1:, 1:]
    np.testing.assert_array_equal(views(patches, (2, 2))[0], patches[0, 0].mean(0).reshape(2, 2))
    chosen = views(maps, (2, 2), 1, [3])
    np.testing.assert_array_equal(chosen[1], maps[1, :, 4, 1:].mean(0).reshape(2, 2))


def test_overview_and_hero_follow_the_table():
    rpb = scheme("2d", (3, 3))
    table, index = rpb.table(), rpb.index
    plots.overview(index, table, (3, 3), 4, "title")
    figure = plots.hero(index, table, (3, 3), query=4, key=2, head=1)
    drawn = [image.get_array() for image in images_of(figure)[:4]]
    np.testing.assert_array_equal(drawn[0], table[:, 1].reshape(5, 5))
    np.testing.assert_array_equal(drawn[2], table[index, 1])
    # One query's bias on the grid is a part of the table, rotated by 180°.
    np.testing.assert_array_equal(drawn[3], table[:, 1].reshape(5, 5)[1:4, 1:4][::-1, ::-1])


def test_drawing_leaves_the_global_style():
    before = dict(matplotlib.rcParams)
    plots.index_matrix(scheme("1d", (4,)).index)
    plots.table_picture(scheme("1d", (4,)).table())
    plots.offset_counts((3, 2))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"global_pool": "token"}, {"bias_blocks_0", "bias_blocks_1", "one_query"}),
        (
            {"position": "shared_relative", "rpb_kwargs": {"bias_type": "alibi", "causal": True}},
            {"bias_shared_rel_pos", "one_query"},
        ),
        ({"global_pool": "avg", "position": "absolute"}, set()),
    ],
)
def test_save_pictures(tmp_path, options, expected):
    trainer, dataset = trainer_and_dataset(**options)
    written = save_pictures(tmp_path / "run", trainer, dataset, METRICS)
    expected = expected | {"confusion", "curves", "attention"}
    assert {path.stem for path in written} == expected
    assert set((tmp_path / "run").iterdir()) == set(written)
    for path in written:
        with Image.open(path) as image:
            assert min(image.size) > 300
            assert any(low != high for low, high in image.convert("RGB").getextrema())


def test_save_pictures_without_metrics(tmp_path):
    trainer, dataset = trainer_and_dataset(position="none")
    written = save_pictures(tmp_path, trainer, dataset, [])
    assert [path.name for path in written] == ["confusion.png", "attention.png"]


def test_a_tensor_becomes_an_array():
    torch = pytest.importorskip("torch")
    dense = torch.arange(9.0).reshape(1, 3, 3).requires_grad_()
    np.testing.assert_array_equal(patch_bias(lambda: dense, 1), [[[4, 5], [7, 8]]])


def test_a_failed_picture_leaves_the_old_one(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def fail(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_picture(SimpleNamespace(savefig=fail), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
