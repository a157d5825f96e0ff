"""The GPU's benchmarks and record, rehearsed on the CPU with tiny works."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch

from benchmarks.cuda import clock, contestants, measure, plan, record, report
from benchmarks.cuda.__main__ import measure as measure_all
from benchmarks.cuda.measure import Entry, Line
from benchmarks.cuda.report import Report
from benchmarks.cuda.worker import Worker
from benchmarks.cuda.works import Attention
from parity_tests import interpreter
from torch_impl.ops.attention import registry

TINY = Attention((3, 3), 4, heads=2, head_dim=8)
LONG = plan.TINY[1]
PLAIN = [  # without what is compiled, which takes seconds each
    entry
    for entry in plan.entries(plan.TINY, ("float32", "bfloat16"))
    if entry.contestant in ("sdpa", "eager")
]


@pytest.mark.parametrize("entry", PLAIN, ids=lambda entry: entry.label)
def test_each_work_is_judged_and_timed(entry):
    line = measure.measure(entry, "cpu")
    assert line.absent is None
    assert (line.right, len(line.seconds), line.peak) == (True, 5, None)


@pytest.mark.parametrize("name", ["flex_attention", "torch.compile eager"])
def test_a_compiled_contestant_takes_the_small_piece_and_the_work(name):
    line = measure.measure(Entry(LONG[0], "float32", False, name), "cpu")
    assert (line.absent, line.right) == (None, True)


def test_an_implementation_that_is_not_there_or_refuses_is_said(monkeypatch):
    monkeypatch.delitem(registry.REGISTRY, "triton", raising=False)
    for work in (TINY, plan.TINY[2][0]):
        line = measure.measure(Entry(work, "float32", True, "triton"), "cpu")
        assert line.absent == "torch_impl has no implementation 'triton'"
    monkeypatch.setattr(registry.REGISTRY["sdpa"], "refusal", lambda inputs: "not today")
    line = measure.measure(Entry(plan.TINY[2][0], "float32", True, "sdpa"), "cpu")
    assert line.absent == "not today"
    assert measure.measure(Entry(plan.TINY[2][0], "float32", True, "eager"), "cpu").right


@pytest.mark.parametrize("backward", [False, True])
def test_a_wrong_contestant_is_not_timed(monkeypatch, backward):
    sdpa = registry.REGISTRY["sdpa"]
    attend = sdpa.attend
    monkeypatch.setattr(sdpa, "attend", lambda inputs: attend(inputs) * 1.001)
    line = measure.measure(Entry(TINY, "float32", backward, "sdpa"), "cpu")
    assert (line.seconds, line.right, line.tensor) == ((), False, line.tensor)
    assert "over budget" in line.absent


def test_too_little_memory_is_a_result(monkeypatch):
    def full(entry, given, state, device, work=None):
        raise torch.OutOfMemoryError("tried to allocate 64 GiB")

    monkeypatch.setattr(measure, "_run", full)
    assert measure.measure(Entry(TINY, "float32", True, "eager"), "cpu") == Line(absent="out of memory")


def test_a_call_is_timed_with_a_cold_cache_after_a_head_start(monkeypatch):
    done = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            done.append("event")

        def elapsed_time(self, end):
            return 2000.0

    cache = torch.ones(3)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: done.append("sleep"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("wait"))
    seconds = clock._by_events(lambda: done.append("call"), cache, 2)
    assert seconds == [2.0, 2.0]
    assert done == ["sleep", "event", "call", "event"] * 2 + ["wait"]
    assert not cache.any()


def test_offsets_and_index_say_the_same():
    """The truth reads the NumPy twin's index, contestants the offsets; the rows have to be the same."""
    for work in (TINY, Attention((5,), 1, 1, 4)):
        expected = torch.from_numpy(work.case().inputs["index"].values)
        assert torch.equal(work.offsets("cpu").index(), expected)


def test_the_plan_has_everything_once_and_what_matters_first():
    entries = plan.entries()
    assert len(set(entries)) == len(entries)
    works = {entry.work for entry in entries}
    assert {w.size[0] for w in works if isinstance(w, Attention) and w.suite == "windows"} == {
        *(7, 8, 12, 14, 16)
    }
    counts = {w.batch for w in works if w.suite == "windows"}
    assert (min(counts), max(counts)) == (1024, 65536)
    lengths = {w.tokens for w in works if w.suite == "length"}
    assert (min(lengths), max(lengths)) == (1024, 32768)
    first = entries[: 5 * len(contestants.ATTENTION)]
    assert {(e.work.suite, e.dtype, e.backward) for e in first} == {("windows", "bfloat16", True)}
    assert {len([e for e in entries if e.dtype == d]) for d in plan.DTYPES} == {len(entries) // 3}


def test_a_small_block_has_all_masks():
    for block in plan.blocks():
        small = block.small()
        assert (small.side, small.batch) == (2 * block.window, 1)


def fails(entry, device):
    """Stand in for `measure` in another process."""
    if entry.contestant == "eager":
        return Line((1.0,), share=0.5)
    if entry.contestant == "sdpa":
        os._exit(7)
    return time.sleep(600)


def test_a_process_that_dies_or_hangs_costs_one_entry():
    with Worker("cpu", limit=60, measure=fails) as worker:
        lines = [
            worker.measure(Entry(TINY, "float32", True, name)) for name in ("eager", "sdpa", "eager")
        ]
        worker._limit = 0.1
        lines.append(worker.measure(Entry(TINY, "float32", True, "triton")))
    assert [line.absent for line in lines] == [
        None,
        "its process ended with code 7",
        None,
        "took more than 0.1 s",
    ]


def made_up(times, peaks):
    """Return a Report; times: {contestant: seconds} of a window; peaks: ours, by length."""
    lines = [
        (Entry(TINY, "float32", True, n), Line((t,), 1.0, 2**20, "out", 0.5)) for n, t in times.items()
    ]
    for length, size in peaks.items():
        work = Attention((length,), 2, 2, 8)
        lines.append((Entry(work, "float32", True, "triton"), Line((1.0,), 1.0, size, "out", 0.5)))
    return Report({"device": "made up"}, lines, [Entry(TINY, "float32", False, "eager")])


def test_targets_compare_with_the_fastest_other_and_with_half_the_length():
    found = report.targets(made_up({"triton": 1.0, "sdpa": 4.0, "eager": 2.5}, {16: 10, 32: 20, 64: 80}))
    assert [(round(t.measured, 2), t.met) for t in found] == [(0.4, True), (2.0, True), (4.0, False)]
    found = report.targets(made_up({"triton": 2.0, "eager": 2.5}, {16: 10, 64: 20}))
    assert [(t.measured, t.met) for t in found] == [(0.8, False)]
    assert report.targets(made_up({"eager": 2.5}, {})) == []


def test_the_page_has_times_reasons_and_what_is_left():
    made = made_up({"triton": 1.0, "eager": 2.0}, {})
    made.lines.append((Entry(TINY, "float32", True, "sdpa"), Line(absent="out of memory")))
    made.lines.append((Entry(TINY, "float32", True, "flex_attention"), Line(absent="no such thing")))
    page = report.page(made)
    assert "| 1e+03 (×0.50) | – | out of memory | 2e+03 (×1.00) |" in page
    assert "no numbers of flex_attention in windows (1 of its entries): no such thing" in page
    assert "no time was left for 1 more entries" in page
    saved = json.loads(report.to_json(made))
    assert saved["lines"][0]["seconds"] == [1.0]
    assert [entry["contestant"] for entry in saved["left_out"]] == ["eager"]


def test_ours_over_budget_fails_the_run():
    wrong = Line(absent="over budget", tensor="dtable", share=1.5)
    made = made_up({"eager": 2.0}, {})
    assert not report.ours_are_wrong(made)
    made.lines.append((Entry(TINY, "float32", True, "eager"), wrong))
    assert not report.ours_are_wrong(made)
    made.lines.append((Entry(TINY, "float32", True, "triton"), wrong))
    assert report.ours_are_wrong(made)


def test_what_there_is_no_time_for_is_listed(tmp_path):
    found = measure_all(PLAIN, "cpu", -1, tmp_path)
    assert (found.lines, found.left) == ([], PLAIN)
    assert len(json.loads((tmp_path / "benchmarks.json").read_text())["left_out"]) == len(PLAIN)


PARTS = {
    "good": "print('fine')",
    "bad": "raise SystemExit(3)",
    "slow": "import time; time.sleep(600)",
}


def test_the_record_survives_a_part_that_fails_or_hangs(tmp_path, monkeypatch, capsys):
    (tmp_path / "code").mkdir()
    for name, code in PARTS.items():
        (tmp_path / "code" / f"part_{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    parts = [record.Part(name, [f"part_{name}"]) for name in PARTS]
    parts.append(record.Part("lacking", ["part_good"], ("no_such_package",)))
    monkeypatch.setattr(record, "parts_of", lambda *arguments: parts)
    monkeypatch.setattr(record, "_machine", lambda device: {"device": "Made Up 80GB"})
    monkeypatch.setattr(record, "MOST", {"slow": 2})
    monkeypatch.setattr(record, "GRACE", 1)
    assert record.main(["--out", str(tmp_path / "out")]) == 1
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name.startswith("made-up-80gb-20")
    states = {
        part["name"]: part["state"] for part in json.loads((folder / "record.json").read_text())["parts"]
    }
    assert states == {
        "good": "passed",
        "bad": "failed with code 3",
        "slow": "stopped after 2 s",
        "lacking": f"not run: {sys.executable} lacks no_such_package",
    }
    page = (folder / "README.md").read_text()
    assert all(f"| {name} | {state} |" in page for name, state in states.items())
    assert [part.said for part in parts if part.state == "passed"] == ["fine"]
    assert "fine" in (folder / "log.txt").read_text()


def test_without_a_gpu_one_clear_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert record.main(["--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "gpu: PyTorch sees no CUDA device\n"
    assert not (tmp_path / "out").exists()


def test_a_second_run_of_a_day_has_a_folder_of_its_own(tmp_path):
    folders = [record._new_folder(tmp_path, "NVIDIA H100 80GB HBM3").name for _ in range(2)]
    assert folders[0].startswith("nvidia-h100-80gb-hbm3-20")
    assert folders[1] == f"{folders[0]}-2"


def test_the_record_fits_what_a_lent_machine_brings_back(tmp_path):
    """At most eight files in a folder, two levels down (the lent machine's limits)."""
    parts = record.parts_of("cpu", tmp_path, True)
    assert [part.name for part in parts] == ["parity", "tests", "benchmarks"]
    assert "parity_tests/test_cuda.py" in parts[1].command
    assert not [name for name in parts[1].command if "test_gate" in name]


LACKING = ("jsonargparse", "hypothesis", "coverage", "x_transformers", "ruff", "basedpyright")
IMPORTS = """
import sys, torch._dynamo  # which asks for hypothesis's spec
sys.modules.update(dict.fromkeys({lacking}, None))
import benchmarks.cuda.__main__, benchmarks.cuda.record, benchmarks.cuda.worker
import parity_tests.conftest, parity_tests.test_parity, parity_tests.test_parity_cuda
for name in {marked}:
    __import__(name)
"""


def test_the_command_needs_no_package_that_a_gpu_machine_may_lack():
    marked = [name.removesuffix(".py").replace("/", ".") for name in record.marked()]
    assert "parity_tests.test_cuda" in marked
    code = IMPORTS.format(lacking=LACKING, marked=marked)
    done = subprocess.run([sys.executable, "-c", code], cwd=record.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


INTERPRETED = """
from benchmarks.cuda import plan
from benchmarks.cuda.measure import Entry, measure
line = measure(Entry(plan.TINY[0][0], "float32", True, "triton"), "cpu")
print(line.absent, line.right, len(line.seconds))
"""


@pytest.mark.skipif(interpreter.fails(), reason=interpreter.REASON)
def test_our_kernel_is_judged_and_timed_in_its_interpreter():
    pytest.importorskip("triton")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-c", INTERPRETED]
    done = subprocess.run(command, cwd=record.ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["None True 5"], done.stderr
