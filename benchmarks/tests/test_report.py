"""The report of a made-up result: targets, tables, JSON and pictures, written whole or not at all."""

import json

import made_up
import numpy as np
import pytest

from benchmarks import report
from benchmarks.check import Check
from benchmarks.entry import BOTH
from benchmarks.memory import Memory
from benchmarks.targets import targets


def test_targets_are_judged_as_they_are():
    found = {
        target.what: (round(target.measured, 2), target.met) for target in targets(made_up.result())
    }
    assert found == {
        "attention, forward + backward: time / fastest torch": (0.5, True),
        "attention, forward + backward: share of the large-matrix rate": (0.5, True),
        "attention, forward + backward: speed of all threads / one": (1.9, True),
        "attention, forward + backward: peak memory / torch eager": (0.25, True),
        "attention, forward + backward: memory of the process / torch eager": (0.25, True),
    }


def test_swin_has_targets_of_its_own():
    result = made_up.result()
    result.races = [made_up.race("swin", "block", BOTH, made_up.TIMES)]
    result.memories = [
        Memory("swin step", "small Swin", "numba", 49, 30.0, 300.0),
        Memory("swin step", "small Swin", "torch eager", 49, 60.0, 400.0),
    ]
    found = {target.what: (target.goal, target.measured, target.met) for target in targets(result)}
    assert found == {
        "Swin, forward + backward: time / fastest torch": (0.7, 0.5, True),
        "Swin, training step: peak memory / torch eager": (0.6, 0.5, True),
        "Swin, training step: memory of the process / torch eager": (0.6, 0.75, False),
    }


def test_a_missed_target_is_said():
    result = made_up.result()
    result.rates["numpy"] = 100e9
    assert [target.measured for target in targets(result) if not target.met] == [0.1]
    assert "NO" in report.text(result)


def test_there_are_no_targets_where_numba_is_not():
    assert targets(made_up.result(device="cuda")) == []


def test_the_tables_have_the_numbers():
    page = report.markdown(made_up.result())
    assert (
        "| 7², 4 × 3 heads | forward + backward | 4e+03 (×2.00) | 1e+03 (×0.50) | 2e+03 (×1.00) |"
        in page
    )
    assert "10.0 / 100" in page
    assert "has no backward" in page
    assert "killed" in page


@pytest.mark.parametrize("share", [1.5, np.inf, np.nan])
def test_the_kernels_over_budget_fail_the_run(share):
    result = made_up.result(Check("dtable", share, 0.1))
    assert not result.ours_are_right
    assert "WRONG" in report.text(result)
    assert made_up.result().ours_are_right


def test_the_folder_is_written_whole(tmp_path):
    folder = tmp_path / "cpu"
    paths = report.write(folder, made_up.result(Check("dtable", np.nan, np.inf)))
    names = {path.name for path in paths}
    assert names == {"README.md", "results.json", "ratios.png", "length.png", "memory.png"}
    saved = json.loads((folder / "results.json").read_text())
    assert saved["races"][0]["lines"]["numba"]["check"]["share"] == "nan"
    assert saved["races"][1]["lines"]["numba"]["seconds"] == [1.0, 1.5, 1.0]
    for name in names - {"README.md", "results.json"}:
        assert name in (folder / "README.md").read_text()
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_a_report_that_breaks_leaves_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.plots.pictures", lambda result: {})
    folder = tmp_path / "cpu"
    report.write(folder, made_up.result())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken(*args):
        raise OSError("disk full")

    monkeypatch.setattr(report, "write_whole", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write(folder, made_up.result())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="something else"):
        report.refuse_other_folders(tmp_path)
