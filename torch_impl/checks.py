"""Argument checks: name the argument, what came, what was expected."""

import torch


def check_positive_int(**values):
    """Each value is an integer of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is {value!r}, expected an integer")
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")


def check_probability(**values):
    """Each value is a drop rate in [0, 1)."""
    for name, value in values.items():
        if not isinstance(value, int | float) or not 0 <= value < 1:
            raise ValueError(f"{name} is {value!r}, expected a number in [0, 1)")


def check_choice(name, value, choices):
    """`value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, choices))}")


def as_sizes(name, value, ndim=None):
    """An int or a sequence of ints -> tuple of positive ints; an int is repeated `ndim` times."""
    sizes = (value,) * (ndim or 1) if isinstance(value, int) else tuple(value)
    if not sizes or (ndim is not None and len(sizes) != ndim):
        raise ValueError(f"{name} is {value!r}, expected an int or {ndim or 'at least 1'} ints")
    for size in sizes:
        check_positive_int(**{name: size})
    return sizes


def as_dtype(dtype):
    """A floating torch dtype, also by its name; float32 for None; raises TypeError for anything else."""
    dtype = torch.float32 if dtype is None else dtype
    dtype = getattr(torch, dtype, dtype) if isinstance(dtype, str) else dtype
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype!r}, expected a floating torch dtype")
    return dtype
