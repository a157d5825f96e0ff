"""The JAX program in examples/conformance/jax passes the golden vectors, and finds bugs and damage."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "conformance" / "jax"
VECTORS = Path(__file__).parent / "vectors" / "data"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
FILE = "float64/attention-plain.safetensors"

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")

# (file, what is there, the bug, the case that shows it)
BUGS = {
    "sign of the bias": ("attention.py", "scores += bias(", "scores -= bias(", "attention-table"),
    "no scale on q k": ("attention.py", "scale * (q @", "(q @", "attention-table"),
    "scale on the bias": ("attention.py", "+= bias(", "+= scale * bias(", "attention-table"),
    "no maximum": ("attention.py", "scores - stop", "scores - 0 * stop", "attention-logits_of_1e4"),
    "heads reversed": ("bias.py", ".T[:, index]", ".T[::-1, index]", "bias-square"),
    "sums in half precision": ("bias.py", "x.astype(jnp.promote", "x  # (", "bias-beit_3x5"),
    "sign of the roll": ("windows.py", "(-sh, -sw)", "(sh, sw)", "windows-shifted"),
    "border of the mask": ("windows.py", ">= rows - sh", "> rows - sh", "shift-padded"),
    "a = -0.5": ("resize.py", "a=-0.75", "a=-0.5", "resize-bicubic"),
    "sign of the offset": ("index.py", "q_offset + q - k + (", "q_offset - q + k + (", "index-2d-int"),
}  # fmt: skip


def run(program, *arguments):
    """Run the program on the CPU, compiled without optimisation, which halves the time."""
    return subprocess.run(
        [sys.executable, program / "main.py", *arguments],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_every_case_is_right():
    done = run(SOURCE, VECTORS)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    ran = Counter({(row[0], row[1]): int(row[2]) for row in rows if row[3] == "cases,"})
    left_out = [row[:2] for row in rows if row[3] != "cases,"]
    assert all(name == "attention-denormal" for name, _ in left_out)
    ran.update(("attention", dtype.rstrip(":")) for _, dtype in left_out)
    assert ran == Counter((case["kind"], case["dtype"]) for case in MANIFEST["cases"])


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(tmp_path, bug):
    file, right, wrong, case = BUGS[bug]
    program = shutil.copytree(SOURCE, tmp_path / "jax")
    text = (program / file).read_text()
    assert text.count(right) == 1
    (program / file).write_text(text.replace(right, wrong))
    done = run(program, VECTORS, "--case", case)
    assert done.returncode == 1
    assert f"{case} " in done.stdout, done.stderr
    assert any(
        line.startswith(case.split("-")[0] + " ") and "WRONG" in line
        for line in done.stdout.splitlines()
    )


@pytest.fixture(scope="module")
def share():
    """The program's judge, which needs no JAX."""
    spec = importlib.util.spec_from_file_location("judge_of_jax", SOURCE / "judge.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.share


# A result, and whether it is right: limits 3.6 (largest), 3 (typical) and 2.7e-7 (common).
ROUNDING = {"shape": [2], "rule": "rounding", "cost": [1.2, 1.0, 9e-8]}
JUDGED = [
    (np.array([1 + 3.5e-7, -2]), True),
    (np.array([1 + 3.7e-7, -2]), False),  # largest
    (np.array([1 + 2.9e-7, -2 + 5.8e-7]), True),
    (np.array([1 + 3.59e-7, -2 + 4.7e-7]), False),  # typical 3.03
    (np.array([1 + 2.9e-7, -2 - 5.8e-7]), False),  # common: the factor 1 + 2.9e-7
    (np.array([np.nan, -2]), False),
    (np.array([-np.inf, -2]), False),
    (np.array([[1.0, -2.0]]), False),
]


@pytest.mark.parametrize(("result", "right"), JUDGED)
def test_the_judge_measures_by_the_page(share, result, right):
    rules, truth, spread = MANIFEST["rules"], np.array([1.0, -2.0]), np.array([1e-7, 2e-7])
    assert (share(result, truth, ROUNDING, rules, spread) <= 1) is right


def test_the_judge_knows_exact_results_and_float64s_tolerance(share):
    rules = MANIFEST["rules"]
    truth, near, inside, outside = (np.array([4 + e, -np.inf]) for e in (0, 1e-15, 3.9e-10, 4.1e-10))
    exact, float64 = ({"shape": [2], "rule": rule} for rule in ("exact", "float64"))
    assert share(truth, truth, exact, rules) == share(truth, truth, float64, rules) == 0
    assert share(near, truth, exact, rules) > 1
    assert share(inside, truth, float64, rules) <= 1
    assert share(outside, truth, float64, rules) > 1
    assert share(np.array([4.0, -1e300]), truth, float64, rules) > 1


# name: (what is left of the content, what is said of it)
DAMAGES = {
    "empty": (lambda content: b"", "the header is no JSON"),
    "cut off": (lambda content: content[:-1], "truth."),
    "a bit flipped": (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "the checksum"),
    "renamed": (lambda content: content.replace(b'"input.q"', b'"input.p"'), "the checksum"),
}


@pytest.fixture
def one_case(tmp_path):
    """Return `write`, which writes a manifest with one case and its file."""

    def write(content, **changes):
        case = next(case for case in MANIFEST["cases"] if case["file"] == FILE)
        (tmp_path / FILE).parent.mkdir()
        (tmp_path / FILE).write_bytes(content)
        (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST | {"cases": [case | changes]}))
        return tmp_path

    return write


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(one_case, damage):
    change, says = DAMAGES[damage]
    folder = one_case(change((VECTORS / FILE).read_bytes()))
    done = run(SOURCE, folder, "--case", "attention-plain")
    assert done.returncode == 1
    error, summary = done.stdout.splitlines()
    assert f"{FILE}: {says}" in error
    assert "1 WRONG" in summary
    assert done.stderr == ""


def test_an_unknown_option_is_an_error(one_case):
    folder = one_case((VECTORS / FILE).read_bytes(), options={"causal": True})
    done = run(SOURCE, folder, "--case", "attention-plain")
    assert done.returncode == 1
    assert "'causal'" in done.stdout
    assert done.stderr == ""


def test_a_kind_without_a_case_is_an_error(one_case):
    done = run(SOURCE, one_case((VECTORS / FILE).read_bytes()))
    assert done.returncode == 1
    assert "bias: no case" in done.stdout
    assert "attention: no case" not in done.stdout
