"""The types in the signatures of this package. Shapes stand in the docstrings."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

Array = np.ndarray
DTypeLike = np.dtype | type[Any] | str
Generator = np.random.Generator
IndexLike = Array | Sequence[Sequence[int]] | Sequence[Sequence[Sequence[int]]]
Implementation = Literal["numpy", "numba"] | object  # the object: a namespace of ops
SizeLike = int | Sequence[int]
Size = tuple[int, ...]  # a checked SizeLike: one entry per axis
Sizes = tuple[Size, Size, int]  # of the queries, of the keys, and the first query's place
