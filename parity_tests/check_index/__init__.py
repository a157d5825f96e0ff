"""Check an index that somebody wrote: what is wrong in words, with a pair of tokens that shows it.

Needs NumPy only, and has a geometry of its own: neither twin's is used.
"""

from .check import check_index
from .conventions import CONVENTIONS
from .report import Finding, Pair, Report

__all__ = ["CONVENTIONS", "Finding", "Pair", "Report", "check_index"]
