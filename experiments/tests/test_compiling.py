"""Compiling prints one line, and nothing if all kernels are loaded from disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import train
from experiments.compiling import compiled_ahead

ROOT = Path(__file__).parents[2]
CODE = """
import numpy as np
import numpy_ref.kernels as kernels
from experiments.compiling import say_what_is_compiled

say_what_is_compiled()
for n in (3, 4):
    kernels.squared_norm(np.ones(n))
    kernels.bias_forward(np.ones((n, 2)), np.zeros((n, n), int))
"""


FIRST = "import numpy as np, numpy_ref.kernels as k; k.squared_norm(np.ones(1, np.float32))"
AHEAD = """
from experiments.compiling import compiled_ahead

with compiled_ahead("numpy", "float32"):
    pass
"""


def run(folder, code=CODE):
    env = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return done.stdout.splitlines(), done.stderr


def test_compiling_says_so_once_and_loading_says_nothing(tmp_path):
    lines, errors = run(tmp_path)
    assert lines == ["compiling the kernels, once; the next run finds them on disk"]
    assert not errors
    assert run(tmp_path) == ([], "")


def test_nothing_is_compiled_ahead_where_the_first_kernel_is_on_disk(tmp_path):
    run(tmp_path, FIRST)
    assert run(tmp_path, AHEAD) == ([], "")


@pytest.mark.parametrize(
    ("options", "cosine"),
    [
        ([], False),
        (["--model.cosine_attention=true"], True),
        (["--model.name=swin"], False),
        (["--model.name=swinv2"], True),
    ],
)
def test_training_says_whether_there_is_cosine_attention(options, cosine, monkeypatch):
    def asked(*arguments):
        raise KeyError(arguments)

    monkeypatch.setattr(train, "compiled_ahead", asked)
    with pytest.raises(KeyError) as stop:
        train.main(["--model.dtype=float64", *options])
    assert stop.value.args[0] == ("numpy", "float64", cosine)


def test_an_error_in_the_block_is_not_held_up():
    with pytest.raises(KeyError, match="first"), compiled_ahead("numpy", "float32"):
        raise KeyError("first")


def test_the_twin_without_kernels_has_nothing_to_compile():
    code = (
        "import sys; from experiments.compiling import compiled_ahead\n"
        "with compiled_ahead('torch', 'float32'): pass\n"
        "sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
