"""The study of image sizes: it continues where it stopped, and its page says what was found."""

import json

import numpy as np
import pytest
from small_runs import refused

import numpy_ref
from experiments import resize_study
from experiments.comparison import resize_page
from experiments.config import load_config
from experiments.plots.resize import resize_study as drawn

SHORT = ["--seeds=1", "--epochs=1", "--more_epochs=1"]


def test_the_settings_are_those_of_the_results_on_record():
    """Options that came later are not among them, so the results can be added to."""
    on_record = resize_study.CONFIG.parents[1] / "docs" / "results" / "resize" / "results.json"
    expected = json.loads(on_record.read_text())["settings"]
    config = load_config(resize_study.CONFIG)
    found = resize_study._settings(config, expected["more"]["epochs"])
    assert found == expected


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(resize_study, "SIZES", (12,))
    methods = {"2d": ("linear", resize_study.FRESH), "log_cpb": resize_study.METHODS["log_cpb"]}
    monkeypatch.setattr(resize_study, "METHODS", methods)


def test_it_writes_a_page_and_continues(small, tmp_path, monkeypatch, capsys):
    out = f"--out={tmp_path / 'study'}"
    assert resize_study.main([*SHORT, out, "--schemes=[2d]"]) == 0
    assert resize_study.main([*SHORT, out]) == 0
    printed = capsys.readouterr().out
    assert "[1/1] log_cpb, seed 0" in printed
    files = {path.name for path in (tmp_path / "study").iterdir()}
    assert files == {"README.md", "resize.png", "results.json"}
    lines = (tmp_path / "study" / "README.md").read_text().splitlines()
    assert [line.split("|")[1:3] for line in lines if line.startswith("| `")] == [
        [" `2d` ", " linear "],
        [" `2d` ", " fresh "],
        [" `log_cpb` ", " as they are "],
        [" `log_cpb` ", " stretched "],
    ]
    monkeypatch.setattr(resize_study, "study", lambda *_: pytest.fail("was run again"))
    assert resize_study.main([*SHORT, out]) == 0
    capsys.readouterr()
    line = refused(capsys, resize_study.main, ["--seeds=1", "--epochs=2", "--more_epochs=1", out])
    assert "training.epochs 1, but now it is 2" in line


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--schemes=[halo]", "--schemes has halo"),
        ("--seeds=0", "--seeds is 0"),
        ("--more_epochs=0", "--more_epochs is 0"),
    ],
)
def test_bad_options_are_one_line(option, message, tmp_path, capsys):
    out = tmp_path / "study"
    assert message in refused(capsys, resize_study.main, [f"--out={out}", option])
    assert not out.exists()


def test_methods_differ_in_what_depends_on_the_window():
    options = {"patch_size": 2, "embed_dim": 8, "depth": 1, "num_heads": 2}
    old, new = (numpy_ref.VisionTransformer(img_size=size, **options) for size in (8, 12))
    table = "blocks.0.attn.rel_pos.relative_position_bias_table"
    states = {m: resize_study._state(old, new, m) for m in ("bicubic", "geometric", "linear", "fresh")}
    np.testing.assert_array_equal(states["fresh"][table], new.state_dict()[table])
    tables = [state[table] for state in states.values()]
    assert all(np.abs(a - b).max() > 0 for n, a in enumerate(tables) for b in tables[:n])
    for state in states.values():
        np.testing.assert_array_equal(state["head.weight"], old.state_dict()["head.weight"])


MADE_UP = {
    "2d": {
        "seeds": {
            "0": {"accuracy": 0.9, "sizes": {"12": {"linear": {"before": 0.5, "after": 0.8}}}},
            "1": {"accuracy": 0.7, "sizes": {"12": {"linear": {"before": 0.3, "after": 0.85}}}},
        }
    }
}


def test_the_page_has_the_mean_the_worst_and_the_best():
    ((name, method, at),) = resize_page.rows({"rows": MADE_UP})
    assert resize_page._line(name, method, at) == (
        "| `2d` | linear | 80.0 (70.0 – 90.0) | 40.0 (30.0 – 50.0) | 82.5 (80.0 – 85.0) | 2 |"
    )


def test_the_picture_shows_each_seed():
    figure = drawn(resize_page.rows({"rows": MADE_UP}))
    (ax,) = figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [sorted(line.get_xdata()) for line in dots] == [[30, 50], [80, 85]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2d  linear"]
