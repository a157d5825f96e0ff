"""Relative position bias schemes. The registry is this folder: one scheme per file.

A public module here defines one class with a `bias_type`; modules that begin with an underscore are
shared parts.
"""

import importlib
import inspect
import pkgutil
from typing import Any

import torch

from ..checks import check_choice
from ..types import SizeLike
from ._base import PositionBias, Resized, ScoreTerms


def _schemes() -> dict[str, type[PositionBias]]:
    """Return {bias_type: class} of all scheme files, sorted by bias_type."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{info.name}")
            for scheme in vars(module).values():
                defined_here = inspect.isclass(scheme) and scheme.__module__ == module.__name__
                if defined_here and issubclass(scheme, PositionBias):
                    found[scheme.bias_type] = scheme
    return dict(sorted(found.items()))


# An editor and the type checker read __init__.pyi, which `make stubs` writes from the constructors of
# the schemes. There BiasType is the Literal of all names, RpbKwargs has a TypedDict for each scheme and
# RelativePositionBias an overload.
BiasType = str
RpbKwargs = dict[str, Any]
SCHEMES = _schemes()


def scheme_options(bias_type: str) -> list[str]:
    """Return the names of a scheme's keyword options beyond num_heads, window_size and init_std."""
    check_choice("bias_type", bias_type, tuple(SCHEMES))
    parameters = inspect.signature(SCHEMES[bias_type]).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


def RelativePositionBias(
    num_heads: int, window_size: SizeLike, bias_type: str = "2d", init_std: float = 0.02, **options: Any
) -> PositionBias:
    """Return the scheme that `bias_type` names; calling it gives the bias (H, Lq, Lk).

    num_heads: number of heads H.
    window_size: tokens along each axis, an int or a tuple.
    bias_type: name of the scheme.
    init_std: standard deviation of a learned table at first.
    options: keyword arguments of the scheme (`scheme_options`).
    Raises ValueError for an unknown bias_type or value, TypeError for an option the scheme lacks.
    """
    known = scheme_options(bias_type)
    if unknown := sorted(options.keys() - set(known)):
        raise TypeError(
            f"bias_type {bias_type!r} has no option {', '.join(unknown)}; it knows {', '.join(known)}"
        )
    with torch.device("cpu"):  # a geometry has values, which the meta device has not
        scheme = SCHEMES[bias_type](num_heads, window_size, init_std, **options)
    return scheme.to(torch.get_default_device())


__all__ = [
    "SCHEMES",
    "BiasType",
    "PositionBias",
    "RelativePositionBias",
    "Resized",
    "RpbKwargs",
    "ScoreTerms",
    "scheme_options",
]
