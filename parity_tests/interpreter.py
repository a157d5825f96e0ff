"""Triton's interpreter, in which its kernels run on a CPU: whether it can, and how it converts."""

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
from numpy.lib import NumpyVersion

REASON = "the interpreter of Triton 3.6, which PyTorch 2.11 brings, needs NumPy older than 2.4"
NO_BFLOAT16 = (
    "Triton's interpreter has no bfloat16, it computes with the bits as with integers: "
    "convert to float32 after each load, or check on a GPU"
)

TRUE = {"1", "y", "on", "yes", "true"}  # what Triton takes for a yes


def fails():
    """Return whether Triton makes a number of an array of one element, which NumPy 2.4 refuses."""
    try:
        triton = version("triton")
    except PackageNotFoundError:
        return False
    return NumpyVersion(triton) < "3.7.0" and NumpyVersion(np.__version__) >= "2.4.0"


def is_used():
    """Return whether kernels of Triton run in it, if they are loaded in this process."""
    is_set = os.environ.get("TRITON_INTERPRET", "").lower() in TRUE
    return is_set and find_spec("triton") is not None


@cache
def convert_as_a_gpu():
    """Let it convert between float32 and bfloat16 exactly, and round to the nearest, ties to even.

    Triton's own conversion cuts the last 16 bits off, so that every result is too small, by 0.3 % on
    average, and takes denormal numbers for others. A cast that asks for rounding to zero keeps it.
    """
    import torch
    import triton.language as tl
    from triton.runtime import interpreter

    convert, to_zero = interpreter._convert_float, interpreter._ir.ROUNDING_MODE.RTZ

    def exactly(values, given, wanted, rounding):
        """Return the bits of the converted values: it keeps bfloat16 as integers."""
        if (given, wanted) == (tl.bfloat16, tl.float32):
            return values.astype(np.uint32) << 16
        if (given, wanted) == (tl.float32, tl.bfloat16) and rounding != to_zero:
            return torch.tensor(values).to(torch.bfloat16).view(torch.uint16).numpy()
        return convert(values, given, wanted, rounding)

    interpreter._convert_float = exactly
