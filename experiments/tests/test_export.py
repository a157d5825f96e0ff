"""A run as a folder of its own, which either twin loads without `experiments`."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from small_runs import BACKENDS, in_float64, refused

import numpy_ref
import torch_impl
from experiments import checkpoint, runs
from experiments.convert import convert
from experiments.data import load_data
from experiments.export import main as export
from experiments.predict import main as predict
from parity_tests import budget
from parity_tests.test_docs import blocks

ROOT = Path(__file__).parents[2]
TWINS = {"numpy": numpy_ref, "torch": torch_impl}


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """Return {backend: folder}: the run of each twin, exported."""
    base = tmp_path_factory.mktemp("models")
    for backend in BACKENDS:
        assert export([str(finished[backend]), str(base / backend)]) == 0
    return {backend: base / backend for backend in BACKENDS}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reader", BACKENDS)
def test_a_run_classifies_on_its_own(finished, exported, backend, reader):
    """The logits are those of the run's trainer, for the images that it would be given."""
    model = TWINS[reader].from_pretrained(exported[backend], "float64")
    run, data = runs.open_run(finished[backend]), load_data("digits")
    assert model.classes == list(data.classes)
    assert model.preprocessing == {
        "image_size": [8, 8],
        "in_chans": 1,
        "mean": [float(data.mean[0])],
        "std": [float(data.std[0])],
    }
    trained = in_float64(runs.load(run).model)
    wide = data.test.images.astype(np.float64)
    logits = trained(wide) if backend == "numpy" else trained(torch.from_numpy(wide)).detach().numpy()
    odds = np.exp(logits - logits.max(1, keepdims=True))
    raw = ((data.test.images * data.std + data.mean)[:, 0] * 16).round() / 16  # 17 grey levels
    names, probabilities = model.classify(raw)
    assert budget.float64("probabilities", odds / odds.sum(1, keepdims=True), probabilities).ok
    assert names == [data.classes[n] for n in logits.argmax(1)]


def test_the_checkpoint_is_chosen(finished, tmp_path, capsys):
    """The best epoch of a copy of the run is given another bias, so that it is not the last one's."""
    run = shutil.copytree(finished["numpy"], tmp_path / "run")
    arrays, progress = checkpoint.load(run / "best.safetensors")
    arrays["model.head.bias"] = np.arange(10, dtype=np.float32)
    (run / "best.safetensors").write_bytes(checkpoint.pack(arrays, progress))
    for which in ([], ["--checkpoint", "last", "--backend=torch"]):
        out = tmp_path / f"model{len(which)}"
        assert export([str(run), str(out), *which]) == 0
        assert capsys.readouterr().out == f"written {out}\n"
        name = "last" if which else "best"
        expected = checkpoint.load(run / f"{name}.safetensors").arrays
        for key, a in numpy_ref.from_pretrained(out).state_dict().items():
            np.testing.assert_array_equal(a, expected[f"model.{key}"])


def test_a_bad_run_or_folder_is_one_line(finished, exported, tmp_path, capsys):
    run, taken = str(finished["numpy"]), str(exported["numpy"])
    assert "exists, expected a new or an empty folder" in refused(capsys, export, [run, taken])
    assert "is not a run" in refused(capsys, export, [str(tmp_path), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_converted_checkpoint_is_loaded_by_both_twins(dtype, tmp_path):
    """Its config.json has no dtype, no SHA-256 and no preprocessing."""
    options = {"img_size": 56, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}
    model = numpy_ref.SwinTransformer(**options, dtype=dtype)
    here, timm = tmp_path / "here.safetensors", tmp_path / "timm.safetensors"
    save_file(model.state_dict(), here)
    convert(here, timm, "timm", img_size=(56, 56))
    convert(timm, tmp_path / "out", "here", img_size=(56, 56))
    pixels = np.random.default_rng(0).integers(0, 256, (56, 56, 3), np.uint8)
    found = []
    for twin in TWINS.values():
        loaded = twin.from_pretrained(tmp_path / "out")
        for name, a in model.state_dict().items():
            np.testing.assert_array_equal(np.asarray(loaded.state_dict()[name]), a, strict=True)
        wide = in_float64(loaded)
        wide.preprocessing = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
        found.append(wide.classify(pixels).probabilities)
    assert budget.float64("probabilities", *found).ok


@pytest.mark.parametrize("package", ["numpy_ref", "torch_impl"])
def test_the_block_of_the_readme_runs(finished, exported, package, tmp_path, capsys):
    """In a process of its own, in a folder with a model and an image, without `experiments`."""
    (code,) = [code for code, _ in blocks(ROOT / "README.md") if "models/NAME" in code]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "NAME").symlink_to(exported["numpy"])
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    code = code.replace("numpy_ref import", f"{package} import")
    command = [sys.executable, "-c", code + "\nimport sys; assert 'experiments' not in sys.modules"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    backend = next(backend for backend, twin in TWINS.items() if twin.__name__ == package)
    assert predict([str(finished["numpy"]), str(tmp_path / "image.png"), f"--backend={backend}"]) == 0
    _, name, probability = capsys.readouterr().out.split()
    assert done.stdout.split()[0] == name
    assert ".round(4)" in code
    assert f"{float(done.stdout.split()[1]):.4f}" == probability  # the digits that predict prints
