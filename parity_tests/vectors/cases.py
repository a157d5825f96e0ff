"""Which cases have vectors, and what the committed ones show."""

import math

from ..cases import CASES

# {kind: (kind and name of its rows in the table)}; attention also needs the arguments of a kernel.
KINDS = {
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
COMMITTED = 1800  # most numbers in a committed case's inputs: its four files have about 250 kB

# Every case here is committed; test_vectors checks that each is what it is said to be.
EDGES = {
    "one token": ("attention-one_token", "bias-one_token"),
    "a grid that is not square": ("attention-shifted_2x3", "bias-beit_3x5", "windows-padded"),
    "prefix tokens": ("attention-registers_2x3", "bias-beit_3x5"),
    "fewer queries than keys": ("attention-cross", "attention-more_keys_prefix"),
    "a fully masked row": ("attention-masked_row",),
    "logits of ±1e4": ("attention-logits_of_1e4",),
    "equal logits": ("attention-equal_logits",),
    "denormal numbers": ("attention-denormal", "bias-denormal"),
    "duplicates in the index": ("attention-one_row", "bias-one_row"),
    "an odd number of heads": ("attention-odd_heads",),
    "a head size that is no power of two": ("attention-odd_heads", "attention-registers_2x3"),
}


def kind_of(case):
    """Return the kind of a case's vectors, or None."""
    for kind, row in KINDS.items():
        if (case.kind, case.name) == row:
            fits = {*case.inputs, *case.options} <= ARGUMENTS.get(kind, {*case.inputs, *case.options})
            return kind if fits else None
    return None


def name_of(case):
    """Return the id of a case's vectors, "<kind>-<variant>"."""
    return f"{kind_of(case)}-{case.variant}"


def chosen(full=False):
    """Return the cases with vectors; without `full` those that are committed."""
    cases = [case for case in CASES if kind_of(case)]
    return cases if full else [case for case in cases if numbers(case) <= COMMITTED]


def numbers(case):
    """Return how many numbers the case's inputs have."""
    return sum(math.prod(spec.shape) for spec in case.inputs.values())
