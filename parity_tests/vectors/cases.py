"""Which cases have vectors, and which edge cases the committed ones cover."""

import math
from typing import NamedTuple

import numpy as np

from numpy_ref.ops import window_mask

from ..cases import CASES, Case
from ..check.index.cases import INDEX_CASES
from ..check.index.cases import truth_of as index_of
from ..check.shift import SHIFT

# {kind: kind and name of its rows in the table}; attention also needs the arguments of a kernel.
TABLE = {
    "attention": ("op", "attention"),
    "bias": ("op", "bias"),
    "windows": ("op", "window_partition"),
    "reverse": ("op", "window_reverse"),
    "resize": ("function", "resize_table"),
    "cosine": ("op", "cosine"),
    "score_lookup": ("op", "score_lookup"),
    "value_lookup": ("op", "value_lookup"),
}
ARGUMENTS = {"attention": {"q", "k", "v", "table", "index", "mask", "scale"}}
WHOLE_TABLE = ("op", "scheme", "layer")  # kinds that only --full writes
DRAWN = ("attn_drop", "proj_drop")  # what a layer draws itself, NumPy draws
# With decimals each takes more than a minute per precision, or minutes in all four: without vectors.
TOO_LARGE = (
    "op-linear-large",
    "attention-strips",
    "op-attention-strips_all",
    "op-attention-strips_per_window",
    "attention-swin_256_windows",
)
MOST_NUMBERS = 2000  # in the inputs of a committed case
MOST_ENTRIES = {"index": 1000, "shift": 2500}  # in the result of a committed case

# Every case here is committed; test_vectors checks that each is what it is said to be.
EDGES = {
    "one token": ("attention-one_token", "bias-one_token", "index-1d-one_token"),
    "a grid that is not square": ("attention-shifted_2x3", "bias-beit_3x5", "windows-padded"),
    "prefix tokens": ("attention-registers_2x3", "bias-beit_3x5", "index-2d-beit"),
    "fewer queries than keys": ("attention-cross", "attention-more_keys_prefix", "index-1d-one_query"),
    "a fully masked row": ("attention-masked_row",),
    "a mask of −∞": ("attention-causal", "attention-late_keys"),
    "logits of ±1e4": ("attention-logits_of_1e4",),
    "equal logits": ("attention-equal_logits",),
    "denormal numbers": ("attention-denormal", "bias-denormal"),
    "duplicates in the index": ("attention-one_row", "bias-one_row"),
    "an odd number of heads": ("attention-odd_heads",),
    "a head size that is no power of two": ("attention-odd_heads", "attention-registers_2x3"),
}


class Chosen(NamedTuple):
    """A case with vectors; scheme: the bias_type (kinds index, scheme, layer), an op's name, or None."""

    kind: str
    scheme: str | None
    case: Case

    @property
    def id(self):
        return "-".join(part for part in (self.kind, self.scheme, self.case.variant) if part)

    @property
    def is_whole(self):
        """Return whether the results are integers, which do not depend on a precision."""
        return self.kind in ("index", "shift")


def chosen(full=False):
    """Return the Chosen cases: the small ones of the kinds, which are committed.

    full: all but TOO_LARGE.
    """
    rows = [row for row in map(_row_of, CASES) if row]
    rows += [Chosen("shift", None, case) for case in SHIFT.cases if integers_of_shift(case) is not None]
    rows += [Chosen("index", case.name, case) for case in INDEX_CASES]
    if full:
        return [row for row in rows if row.id not in TOO_LARGE]
    return [row for row in rows if row.kind not in WHOLE_TABLE and is_small(row)]


def is_small(row):
    """Return whether a case is committed."""
    if row.is_whole:
        return integers_of(row).size <= MOST_ENTRIES[row.kind]
    return sum(math.prod(spec.shape) for spec in row.case.inputs.values()) <= MOST_NUMBERS


def integers_of(row):
    """Return the result of a case whose results are integers."""
    if row.kind == "index":
        return index_of(row.case)
    return integers_of_shift(row.case).astype(np.int64)


def integers_of_shift(case):
    """Return the mask (nW, 1, L, L), or None if nothing is shifted."""
    return window_mask(**SHIFT.options(case))


def _row_of(case):
    """Return the Chosen of a case of the table, or None for one without vectors."""
    arguments = {*case.inputs, *case.options}
    for kind, row in TABLE.items():
        if (case.kind, case.name) == row and arguments <= ARGUMENTS.get(kind, arguments):
            return Chosen(kind, None, case)
    if case.kind in ("op", "function"):
        return Chosen("op", case.name, case)
    if case.kind not in ("scheme", "attention") or any(case.options.get(name) for name in DRAWN):
        return None
    return Chosen("scheme" if case.kind == "scheme" else "layer", case.name, case)
