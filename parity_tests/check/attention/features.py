"""What a case of attention may have that others do not: where a kernel may be wrong."""

import numpy as np

LENGTHS = (4, 8, 16, 32, 64, 128, 256)  # of tiles


def _sizes(question, axis, names="q"):
    """Return the sizes of q, k or v along an axis: 0 batch, 1 heads, 2 length, 3 channels."""
    return [question.arguments[name].shape[axis] for name in names]


def _lengths(question):
    """Return [Lq, Lk]."""
    return _sizes(question, 2, "qk")


def _is_power_of_two(number):
    return number & (number - 1) == 0


def _mask_is_infinite(question):
    mask = question.arguments.get("mask")
    return mask is not None and bool(np.isinf(mask).any())


def _has_prefix(question):
    grids = question.context.get("grids")
    return bool(grids and grids.prefix)


def _not_square(question):
    grids = question.context.get("grids")
    return bool(grids and len(set(grids.queries)) > 1)


def _several_windows(question):
    mask = question.arguments.get("mask")
    return mask is not None and mask.ndim == 4 and len(mask) > 1


def _beyond(length):
    return lambda question: _lengths(question)[1] > length


def _ragged(length):
    return lambda question: _lengths(question)[1] % length > 0


FEATURES = {
    "with Lq ≠ Lk": lambda question: len({*_lengths(question)}) > 1,
    "with fewer queries than keys": lambda question: _lengths(question)[0] < _lengths(question)[1],
    "with more queries than keys": lambda question: _lengths(question)[0] > _lengths(question)[1],
    "with Lq = Lk": lambda question: len({*_lengths(question)}) == 1,
    "with dv ≠ d": lambda question: len({*_sizes(question, 3, "qv")}) > 1,
    "with a head size d that is no power of two": lambda question: (
        not _is_power_of_two(*_sizes(question, 3))
    ),
    "with several elements in the batch": lambda question: _sizes(question, 0) > [1],
    "with several heads": lambda question: _sizes(question, 1) > [1],
    "with an odd number of heads": lambda question: _sizes(question, 1)[0] % 2 == 1,
    "with a mask per window": _several_windows,
    "with −∞ in the mask": _mask_is_infinite,
    "with prefix tokens": _has_prefix,
    "with a window that is not square": _not_square,
    **{f"with more than {length} keys": _beyond(length) for length in LENGTHS},
    **{f"with a number of keys that {length} does not divide": _ragged(length) for length in LENGTHS},
}
