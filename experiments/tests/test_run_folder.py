"""A run's folder: how it begins, who may write to it, and what reaches the disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import SMALL, assert_same_run, contents, refused, start

from experiments import files
from experiments.evaluate import main as evaluate
from experiments.train import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "run.json"), ("run.json", "config.yaml.part")])
def test_what_was_killed_before_it_was_a_run_starts_again(tmp_path, left, finished, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("half")
    assert f"started again with --run {folder}" in refused(capsys, main, ["--resume", str(folder)])
    start(folder, "numpy")
    assert_same_run(folder, finished["numpy"])


def test_a_run_in_use_is_not_resumed(half, finished, capsys):
    before = contents(half)
    with files.locked(half):
        assert "another process trains it" in refused(capsys, main, ["--resume", str(half)])
        assert contents(half) == before
        assert evaluate([str(half)]) == 0  # evaluating needs no lock
    (half / "evaluation_test.json").unlink()
    assert main(["--resume", str(half)]) == 0
    assert_same_run(half, finished["numpy"])


def test_of_two_that_start_in_one_folder_one_does(tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    with files.locked(folder):
        assert "another process" in refused(capsys, main, ["--run", str(folder), *SMALL])
    assert {path.name for path in folder.iterdir()} == {"lock"}


def test_a_lock_ends_with_its_process(half):
    code = "import os, sys; from experiments.files import locked; "
    code += "locked(sys.argv[1]).__enter__(); os._exit(9)"
    done = subprocess.run([sys.executable, "-c", code, str(half)], cwd=ROOT)
    assert done.returncode == 9
    with files.locked(half):
        pass


def test_files_reach_the_disk_before_they_are_in_place(tmp_path, monkeypatch):
    """The content is synced before the rename, and the folder after it; so is a new folder's name."""
    done, fsync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def replaced(source, target):
        done.append("replace")
        replace(source, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to find the name of a synced file")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    files.make_folder(tmp_path / "a" / "b")
    assert done == [tmp_path.name, "a"]
    files.write_whole(tmp_path / "a" / "file", "x")
    assert done[2:] == ["file.part", "replace", "a"]
    files.append(tmp_path / "a" / "lines", "x\n")
    files.append(tmp_path / "a" / "lines", "y\n")
    assert done[5:] == ["lines", "a", "lines"]


def test_equal_runs_are_equal_files(finished, tmp_path):
    again = start(tmp_path / "again", "numpy")
    for name in ("last.safetensors", "best.safetensors", "log.txt", "run.json", "config.yaml"):
        assert (again / name).read_bytes() == (finished["numpy"] / name).read_bytes(), name
