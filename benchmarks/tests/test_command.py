"""The command: a quick run writes its files; a bad argument gives one line and exit code 2."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import machine, memory, timing, workloads
from benchmarks.__main__ import PARTIAL, PUBLISHED, _folder, _parser, _settings, main
from benchmarks.contestants import make
from benchmarks.settings import Settings
from benchmarks.suites import SUITES

SMALLEST = workloads.Attention(3, 4, 2, 8)
BAD = {
    "unknown suite": (["--suites", "attenton"], "attenton"),
    "no rounds": (["--rounds", "0"], "--rounds is 0"),
    "unknown device": (["--device", "tpu"], "tpu"),
    "other folder": (["--out", "."], "something else"),
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    monkeypatch.setattr(timing, "TURN", 0)
    monkeypatch.setattr(machine, "SIZE", 64)
    monkeypatch.setattr(workloads, "QUICK_ATTENTION", (SMALLEST,))


def test_a_quick_run_leaves_its_files(small, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = [
        "--quick",
        "--rounds",
        "2",
        "--suites",
        "attention",
        "--device",
        "cpu",
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    saved = json.loads((out / "results.json").read_text())
    assert [race["part"] for race in saved["races"]] == ["forward", "forward + backward"]
    for race in saved["races"]:
        assert {len(line["seconds"]) for line in race["lines"].values()} == {2}
        assert "torch sdpa" in race["lines"]
    assert "Targets" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(("arguments", "expected"), BAD.values(), ids=BAD)
def test_one_clear_line_and_exit_code_two(arguments, expected, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert printed.err.count("\n") == 1
    assert expected in printed.err


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [([], PUBLISHED), (["--quick"], PARTIAL), (["--suites", "bias", "vit"], PARTIAL)],
)
def test_a_part_does_not_replace_the_published_report(arguments, folder):
    options = _parser().parse_args([*arguments, "--device", "cpu"])
    assert _folder(options, _settings(options)) == folder / "cpu"


@pytest.mark.parametrize("quick", [True, False])
def test_every_suite_has_entries(quick):
    for name, entries in SUITES.items():
        labels = [entry.label for entry in entries(Settings(quick=quick))]
        assert labels, name
        assert len(set(labels)) == len(labels)


def test_one_thread_is_one_thread_and_not_for_long():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    places = {"torch eager, 1 thread": "one_thread"}
    contestant = make(places, *places, SMALLEST, workloads.inputs_of(SMALLEST))
    with contestant.within():
        assert torch.get_num_threads() == 1
        assert contestant.run().keys() == {"out", "dq", "dk", "dv", "dtable"}
    assert torch.get_num_threads() == before


def test_each_length_has_as_many_rows():
    rows = [work.batch * work.heads * work.tokens for work in workloads.LENGTHS]
    assert max(rows) < 1.1 * min(rows)


def test_memory_grows_by_what_the_work_holds():
    """Plain NumPy holds all scores, which take 32 MiB: `own` must be above that, below ten times it."""
    found = memory.run(memory.Entry("attention", 0, "numpy"), Settings())
    assert found.absent is None
    assert found.own is None or 32 < found.own < 10 * 32
    assert found.whole > 32


def test_what_the_small_piece_leaves_does_not_count():
    """Before the inputs are made, the store of the kernels is empty."""
    from numpy_ref.kernels.machine import buffers

    buffers.empty((1 << 20,), np.float32)
    assert any(buffers._idle.values())
    memory._give_back("numba")
    assert not any(buffers._idle.values())


def test_a_process_that_fails_says_why():
    found = memory.run(memory.Entry("attention", 0, "nobody"), Settings())
    assert (found.own, found.whole) == (None, None)
    assert "nobody" in found.absent


def test_a_contestant_of_numpy_does_not_load_pytorch():
    code = (
        "import sys; from benchmarks import memory as m;"
        "[m._contestant(n, kind.small(kind.works[0]), 'numpy', 'cpu') for n, kind in m.KINDS.items()];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=memory.ROOT).returncode == 0
