"""The types in the signatures of this package. Shapes stand in the docstrings."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Array = np.ndarray
DType = np.dtype | type[Any] | str
Generator = np.random.Generator
Implementation = Literal["numpy", "numba"] | object  # the object: a namespace of ops
Sizes = int | Sequence[int]
