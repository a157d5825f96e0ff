"""What a run was started with: its description is complete, and an edited one is noticed."""

import json

import pytest
from small_runs import BACKENDS, assert_same_run, refused

import numpy_ref
from experiments import runs
from experiments.evaluate import main as evaluate
from experiments.train import main


def test_a_run_records_what_it_is(finished):
    for backend in BACKENDS:
        about = json.loads((finished[backend] / "run.json").read_text())
        assert (about["twin"], about["device"]) == (backend, "cpu")
        assert {"python", "project", "numpy", "numba", "torch"} <= about["versions"].keys()
        assert about["versions"]["project"] == numpy_ref.__version__
        data = about["data"]
        assert data["classes"] == [str(n) for n in range(10)]
        assert data["image_shape"] == [1, 8, 8]
        assert data["counts"] == {"train": 1257, "val": 270, "test": 270}
        assert len(data["mean"]) == len(data["std"]) == 1


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("config.yaml", "lr: 0.002", "lr: 0.003"),
        ("config.yaml", "epochs: 4", "epochs: 8"),
        ("run.json", '"twin": "numpy"', '"twin": "torch"'),
        ("run.json", '"1",', '"7",'),
    ],
)
def test_an_edited_description_is_one_line(copy, name, old, new, capsys):
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1))
    for command, arguments in ((main, ["--resume", str(copy)]), (evaluate, [str(copy)])):
        assert "has changed since the run began" in refused(capsys, command, arguments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("twin", "jax"),
        ("twin", ["numpy"]),
        ("device", None),
        ("versions", []),
        ("data", None),
        ("data", {}),
        *(
            ("data", {name: value})
            for name, value in [("name", 1), ("classes", ["0"]), ("classes", "01")]
        ),
        *(("data", {"image_shape": value}) for value in ([8, 8], [1, 8, 0], [1, 8, "8"], None)),
        *(("data", {"mean": value}) for value in ([], ["0"], [float("nan")], None)),
        *(("data", {"std": value}) for value in ([0.0], [-1.0], [1.0, 1.0])),
        *(("data", {"counts": value}) for value in ({}, {"train": 1, "val": 0, "test": 1}, [1, 2, 3])),
    ],
    ids=str,
)
def test_a_wrong_field_of_the_description_is_one_line(copy, field, value, capsys):
    about = json.loads((copy / "run.json").read_text())
    partly = isinstance(value, dict) and value
    about[field] = about[field] | value if partly else value
    about["sha256"] = runs._digest(about, (copy / "config.yaml").read_bytes())
    (copy / "run.json").write_text(json.dumps(about))
    assert f"run.json: {field}" in refused(capsys, main, ["--resume", str(copy)])


def test_a_resumed_run_goes_on_in_its_twin(half, finished, capsys):
    """Resume without --backend and with the run's own; the other twin is refused."""
    assert "half is trained by numpy" in refused(
        capsys, main, ["--resume", str(half), "--backend=torch"]
    )
    assert main(["--resume", str(half), "--backend", "numpy"]) == 0
    assert_same_run(half, finished["numpy"])
    capsys.readouterr()
    assert main(["--resume", str(finished["torch"])]) == 0
    assert "twin    torch on cpu" in capsys.readouterr().out


def test_other_versions_are_said(half, capsys, monkeypatch):
    monkeypatch.setattr("experiments.versions.versions", lambda: {"python": "4.0"})
    assert main(["--resume", str(half)]) == 0
    out = capsys.readouterr().out
    assert "note    begun with python" in out
    assert "(now 4.0)" in out
