"""The table of cases: scheme, op or model × shape × options, for tests and the report.

A case says what to build and which inputs it gets; `run` and `run_torch` run it in a twin.
"""

from ._case import SEED, Case, Denormal, Dropout, Fixed, Integers, Mask, Normal
from .functions import FUNCTIONS
from .models import ATTENTION, BLOCKS, MODELS
from .ops import OPS
from .schemes import SCHEMES
from .swin import SWIN_BLOCKS, SWINS

CASES = OPS + FUNCTIONS + SCHEMES + ATTENTION + BLOCKS + MODELS + SWIN_BLOCKS + SWINS

__all__ = ["CASES", "SEED", "Case", "Denormal", "Dropout", "Fixed", "Integers", "Mask", "Normal"]
