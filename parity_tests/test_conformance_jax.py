"""The JAX program in examples/conformance/jax passes the golden vectors, and finds bugs and damage."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "conformance" / "jax"
VECTORS = Path(__file__).parent / "vectors" / "data"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())

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


def cut_off(content):
    return content[:-1]


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def renamed(content):
    return content.replace(b'"input.q"', b'"input.p"')


@pytest.mark.parametrize("damage", [cut_off, flipped, renamed, lambda content: b""])
def test_a_damaged_file_is_named(tmp_path, damage):
    file = "float64/attention-plain.safetensors"
    cases = [case for case in MANIFEST["cases"] if case["file"] == file]
    (tmp_path / "float64").mkdir()
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST | {"cases": cases}))
    (tmp_path / file).write_bytes(damage((VECTORS / file).read_bytes()))
    done = run(SOURCE, tmp_path, "--case", "attention-plain")
    assert done.returncode == 1
    assert file in done.stdout.splitlines()[0]
    assert done.stderr == ""
