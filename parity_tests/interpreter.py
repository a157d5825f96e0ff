"""Whether Triton's interpreter, in which its kernels run on a CPU, can run at all."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.lib import NumpyVersion

REASON = "the interpreter of Triton 3.6, which PyTorch 2.11 brings, needs NumPy older than 2.4"


def fails():
    """Return whether Triton makes a number of an array of one element, which NumPy 2.4 refuses."""
    try:
        triton = version("triton")
    except PackageNotFoundError:
        return False
    return NumpyVersion(triton) < "3.7.0" and NumpyVersion(np.__version__) >= "2.4.0"
