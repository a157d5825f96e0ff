"""Helpers of the tests of runs: small runs of either twin, and comparisons."""

import numpy as np

from experiments import checkpoint, metrics
from experiments.train import main

BACKENDS = ["numpy", "torch"]
EPOCHS = 4
SHARED = [
    "--model.attn_drop_rate=0.1",
    "--model.drop_path_rate=0.2",
    "--training.batch_size=256",
    "--data.max_shift=1",
    "--visualization.enabled=false",
]
SMALL = [
    "--model.embed_dim=16",
    "--model.depth=2",
    "--model.drop_rate=0.1",
    f"--training.epochs={EPOCHS}",
    *SHARED,
]
SMALL_SWIN = [
    "--model.embed_dim=8",
    "--model.window_size=2",
    "--model.proj_drop_rate=0.1",
    "--training.epochs=2",
    *SHARED,
]


def start(folder, backend, *more):
    assert main(["--backend", backend, "--run", str(folder), *SMALL, *more]) == 0
    return folder


def refused(capsys, command, argv):
    """Run a command that must fail with exit code 2 and one line on stderr only; return the line."""
    try:
        command(argv)
    except SystemExit as stop:
        printed = capsys.readouterr()
        assert stop.code == 2
        assert printed.out == ""
        assert printed.err.count("\n") == 1, printed.err
        return printed.err
    raise AssertionError(f"{argv} was accepted")


def rows_of(folder):
    """Return the rows of metrics.jsonl without their times."""
    progress = checkpoint.load(folder / "last.safetensors").progress
    rows = metrics.read(folder, progress)
    return [{k: v for k, v in row.items() if k not in metrics.TIMES} for row in rows]


def assert_same_run(one, other):
    """Compare all but the times: weights, moments, progress, metrics, log; checkpoints to the byte."""
    for name in ("best.safetensors", "last.safetensors"):
        (a, a_progress), (b, b_progress) = checkpoint.load(one / name), checkpoint.load(other / name)
        assert a_progress == b_progress
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert (one / "log.txt").read_text() == (other / "log.txt").read_text()
    assert rows_of(one) == rows_of(other)


def in_float64(model):
    """Return a copy of a model of either twin in float64, which the one tolerance can judge."""
    wide = type(model)(**model.arguments | {"dtype": "float64"})
    wide.load_state_dict(model.state_dict())
    wide.preprocessing, wide.classes = model.preprocessing, model.classes
    return wide.eval()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt():
    raise KeyboardInterrupt
