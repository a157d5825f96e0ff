"""The options of SwinTransformer, checked: counts and windows of each stage, maps to return."""

from collections.abc import Sequence
from typing import Any

from .checks import as_sizes, check_names, check_natural, check_positive_int
from .types import Size


def check_counts(name: str, values: Any, most: int, length: int | None = None) -> tuple[int, ...]:
    """Return a sequence of integers from 1 to `most`; raises TypeError/ValueError."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{name} is {values!r}, expected a sequence of integers")
    if not values or (length is not None and len(values) != length):
        raise ValueError(f"{name} is {values!r}, expected {length or 'at least one'} integers")
    return tuple(check_positive_int(most, **{name: value}) for value in values)


def as_out_indices(out_indices: Any, features_only: bool, stages: int) -> tuple[int, ...]:
    """Return the stages whose maps are returned, ascending; raises TypeError/ValueError."""
    if not features_only:
        if out_indices is not None:
            raise ValueError(f"out_indices is {out_indices!r}, but features_only is False")
        return ()
    if out_indices is None:
        return tuple(range(stages))
    if not isinstance(out_indices, Sequence) or isinstance(out_indices, str):
        raise TypeError(f"out_indices is {out_indices!r}, expected a sequence of integers")
    indices = tuple(check_natural(out_indices=n) for n in out_indices)
    if not indices or list(indices) != sorted(set(indices)) or indices[-1] >= stages:
        raise ValueError(f"out_indices is {out_indices!r}, expected ascending ones below {stages}")
    return indices


def as_pretrained_windows(version: int, sizes: Any, stages: int) -> list[Size | None]:
    """Return pretrained_window_sizes, one per stage, None for the window's own.

    Raises TypeError/ValueError, also for version 1, whose scheme has no such option.
    """
    if sizes is None:
        return [None] * stages
    if version == 1:
        raise ValueError(f"pretrained_window_sizes is {sizes!r}, but version is 1")
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise TypeError(f"pretrained_window_sizes is {sizes!r}, expected a sequence, one per stage")
    if len(sizes) != stages:
        raise ValueError(f"pretrained_window_sizes is {sizes!r}, expected {stages}, one per stage")
    pairs = [as_sizes("pretrained_window_sizes", size, 2, least=0) for size in sizes]
    return [pair if any(pair) else None for pair in pairs]


def with_pretrained_window(rpb_kwargs: Any, size: Size | None) -> Any:
    """Return the options of a stage's scheme."""
    if size is None:
        return rpb_kwargs
    check_names("rpb_kwargs", rpb_kwargs or {})
    return (rpb_kwargs or {}) | {"pretrained_window_size": size}
