"""The kernels compiled for a GPU that is not there: in a process that does not interpret them."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")
COMMAND = ["-m", "benchmarks.triton_ahead", "--gpus", "sm_90", "--dtypes", "float16", "--channels"]
SPILLS = """
from benchmarks.triton_ahead import report, resources, variants
from torch_impl.ops.attention.triton_kernels.sizes import Tile
variant = variants.Variant("windows_backward", "sm_90", "float16", 128, "index", Tile(64, 64, 8))
print(*report.faults([(variant, resources.compiled(variant))]))
"""


def run(*arguments):
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_DEFAULT_FP_FUSION": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_the_kernels_of_small_windows_and_of_long_sequences_spill_nothing():
    done = run(*COMMAND, "32", "--names", "windows_forward", "windows_backward", "keys")
    assert "6 kernels, 0 with faults" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_a_tile_that_is_too_large_is_reported():
    done = run("-c", SPILLS)
    assert "bytes of spilled registers" in done.stdout, done.stdout + done.stderr
