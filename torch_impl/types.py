"""The types in the signatures of this package. Shapes stand in the docstrings."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

DType = torch.dtype | str
Generator = np.random.Generator | torch.Generator
Implementation = Literal["eager", "sdpa"]
Sizes = int | Sequence[int]
