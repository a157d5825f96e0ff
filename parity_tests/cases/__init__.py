"""THE table: scheme, op or model × shape × options. Tests, finite differences and the report read it.

A row says what to build and what to feed it; `run.py` sends it through either twin.
"""

from dataclasses import replace

from ._case import Case, Dropout, Integers, Mask, Normal
from .models import ATTENTION, BLOCKS, MODELS
from .ops import OPS
from .schemes import SCHEMES
from .slack import LARGE_BIAS, SLACK


def _with_slack(case):
    slack = SLACK.get(case.id) or (LARGE_BIAS if case.name in ("log_cpb", "sandwich") else None)
    return replace(case, slack=slack[0], reason=slack[1]) if slack else case


CASES = [_with_slack(case) for case in OPS + SCHEMES + ATTENTION + BLOCKS + MODELS]

__all__ = ["CASES", "Case", "Dropout", "Integers", "Mask", "Normal"]
