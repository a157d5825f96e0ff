"""Whether torch.compile's default backend, inductor, can compile for the CPU of this machine."""

import shutil

import pytest
import torch


def missing():
    """Return what it lacks, or an empty text."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return "there is no C++ compiler"
    if " " in torch.__file__:
        return f"it cannot link PyTorch in a path with a space: {torch.__file__}"
    return ""


needs_inductor = pytest.mark.skipif(bool(missing()), reason=f"inductor: {missing()}")
