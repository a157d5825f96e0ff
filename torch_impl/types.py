"""The types in the signatures of this package. Shapes stand in the docstrings."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

DTypeLike = torch.dtype | str
Generator = np.random.Generator | torch.Generator
IndexLike = torch.Tensor | np.ndarray | Sequence[Sequence[int]] | Sequence[Sequence[Sequence[int]]]
Implementation = Literal["auto", "eager", "sdpa", "flex", "triton"]
SizeLike = int | Sequence[int]
Size = tuple[int, ...]  # a checked SizeLike: one entry per axis
Sizes = tuple[Size, Size, int]  # of the queries, of the keys, and the first query's place
