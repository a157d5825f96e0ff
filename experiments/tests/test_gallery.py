"""The gallery: every scheme is drawn, with its own numbers; files are written whole or not at all."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import gallery
from experiments import plots
from numpy_ref import SCHEMES, RelativePositionBias

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "docs" / "pictures" / "schemes"
KINDS = ("alibi", "3d", "decomposed", "custom")


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(gallery, "STEPS", 2)


def view(grid, bias, index, table, queries=None):
    heads = tuple(f"head {head}" for head in range(len(bias)))
    queries = np.arange(bias.shape[1]) if queries is None else queries
    return plots.SchemeView("name", "what", "how", grid, bias, heads, queries, [table], [index], True)


def oblong(grid=(3, 5), bias_type="2d"):
    """Return a scheme with random entries on a grid whose axes differ, and its view."""
    rpb = RelativePositionBias(2, grid, bias_type, 1.0, generator=np.random.default_rng(0))
    return rpb, view(grid, rpb(), rpb.index, rpb.table())


def images(figure):
    return [np.asarray(image.get_array()) for ax in figure.axes for image in ax.images]


def test_every_scheme_has_a_row_a_section_and_pictures():
    page = (ROOT / "docs" / "schemes.md").read_text()
    assert re.findall(r"^\| \[!\[(\w+)\]", page, re.MULTILINE) == list(SCHEMES)
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == list(SCHEMES)
    expected = {f"{prefix}{name}.png" for name in SCHEMES for prefix in ("", "thumb_")}
    assert {path.name for path in PICTURES.iterdir()} == expected | {"overview.png"}
    for name in re.findall(r"\((pictures/[^)]*)\)", page):
        assert (ROOT / "docs" / name).is_file(), name


def test_every_scheme_can_be_built_and_shown(few_steps):
    for name in SCHEMES:
        shown = gallery.view_of(name)
        assert shown.bias.shape == (4, len(shown.queries), np.prod(shown.grid)), name
        assert np.ptp(shown.bias[0]) > 0, name
        assert [index.shape for index in shown.indices] == [shown.bias.shape[1:]] * len(shown.tables)
        matrices = shown.by_offset()[0] is None
        assert matrices == (name in ("custom", "fire")), name


def test_command_writes_what_was_asked_for(few_steps, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    gallery.main([*KINDS, "alibi", "--out", str(out)])
    expected = {f"{prefix}{name}.png" for name in KINDS for prefix in ("", "thumb_")}
    assert {path.name for path in out.iterdir()} == expected
    sizes = {Image.open(out / f"{name}.png").size for name in KINDS}
    assert len(sizes) == 1  # the same layout for all
    assert len(capsys.readouterr().out.splitlines()) == len(expected)


def test_nothing_is_written_when_one_picture_fails(tmp_path):
    def figures():
        yield "fine.png", plots.scheme_thumbnail(oblong()[1])
        raise RuntimeError("the second")

    with pytest.raises(RuntimeError, match="the second"):
        gallery.write_all(figures(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_scheme_is_one_clear_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        gallery.main(["t5", "t6", "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    assert "t6" in error and "transformer_xl" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("grid", [(3, 5), (5, 1)])
def test_by_offset_is_the_table(grid):
    rpb, shown = oblong(grid)
    values, lowest = shown.by_offset()
    height, width = grid
    np.testing.assert_array_equal(values, rpb.table().T.reshape(2, 2 * height - 1, 2 * width - 1))
    assert tuple(lowest) == (1 - height, 1 - width)


def test_by_offset_with_queries_in_the_middle():
    queries = np.array([5, 6])  # at (1, 2) and (2, 0)
    places = np.stack(np.unravel_index(np.arange(9), (3, 3)), axis=-1)
    offsets = places[queries, None] - places
    bias = (10.0 * offsets[..., 0] + offsets[..., 1])[None]
    values, lowest = view((3, 3), bias, None, None, queries).by_offset()
    assert tuple(lowest) == (-1, -2)
    for dy, dx in offsets.reshape(-1, 2):
        assert values[0, dy + 1, dx + 2] == 10 * dy + dx


def test_no_offset_where_the_bias_depends_on_more():
    bias = np.arange(9.0).reshape(1, 3, 3)
    assert view((3,), bias, None, None).by_offset() == (None, None)


def test_page_shows_the_scheme():
    rpb, shown = oblong()
    drawn = images(plots.scheme_page(shown))
    expected = [
        *rpb.table().T.reshape(2, 5, 9),  # over (Δy, Δx)
        *rpb()[:, shown.shown].reshape(2, 3, 5),  # over the keys
        rpb.index,
        rpb.table().T,
    ]
    # Between them are the colour bars, which hold no image.
    assert len(drawn) == len(expected)
    for got, wanted in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_page_counts_offsets_from_the_lowest_and_frames_the_query():
    _, shown = oblong()
    axes = [ax for ax in plots.scheme_page(shown).axes if ax.images]
    assert axes[0].images[0].get_extent() == [-4.5, 4.5, 2.5, -2.5]  # Δx to the right, Δy downwards
    keys = next(ax for ax in axes if ax.patches)
    assert keys.images[0].get_extent() == [-0.5, 4.5, 2.5, -0.5]
    assert keys.patches[0].get_xy() == (shown.shown % 5 - 0.5, shown.shown // 5 - 0.5)


def test_lines_of_a_sequence():
    rpb, shown = oblong((6,), "1d")
    offsets, row, *_ = plots.scheme_page(shown).axes
    for head in range(2):
        np.testing.assert_array_equal(offsets.lines[head].get_xydata()[:, 0], np.arange(-5, 6))
        np.testing.assert_array_equal(offsets.lines[head].get_ydata(), rpb.table()[:, head])
        np.testing.assert_array_equal(row.lines[head].get_ydata(), rpb()[head, shown.shown])


def test_slices_of_time_lie_below_each_other():
    rpb, shown = oblong((2, 3, 4), "3d")
    drawn = images(plots.scheme_page(shown))
    by_offset = rpb.table().T.reshape(2, 3, 5, 7)
    for time in range(3):
        for head in range(2):
            np.testing.assert_array_equal(drawn[2 * time + head], by_offset[head, time])


def test_fit_reaches_the_four_shapes():
    values, lowest = gallery.view_of("2d").by_offset()
    near, spot, ahead, waves = values
    assert np.unravel_index(near.argmax(), near.shape) == (6, 6)
    assert tuple(np.unravel_index(spot.argmax(), spot.shape) + lowest) == (2, 2)
    assert (ahead[:, :6] > 0).all() and (ahead[:, 7:] < 0).all()  # a key to the right has Δx < 0
    np.testing.assert_allclose(waves, waves.T, atol=0.1)


def test_steps_around_the_wall():
    steps = gallery.steps_around_wall().reshape(7, 7, 7, 7)
    np.testing.assert_array_equal(steps, steps.transpose(2, 3, 0, 1))
    assert steps[0, 0, 0, 3] == 3 and steps[6, 3, 6, 4] == 1
    assert steps[0, 3, 0, 4] == 13  # down to the last line, through and up again
