"""THE table: scheme, op or model × shape × options. Tests, finite differences and the report read it.

A row says what to build and what to feed it; `run` and `run_torch` send it through a twin.
"""

from ._case import SEED, Case, Dropout, Fixed, Integers, Mask, Normal
from .models import ATTENTION, BLOCKS, MODELS
from .ops import OPS
from .schemes import SCHEMES

CASES = OPS + SCHEMES + ATTENTION + BLOCKS + MODELS

__all__ = ["CASES", "SEED", "Case", "Dropout", "Fixed", "Integers", "Mask", "Normal"]
