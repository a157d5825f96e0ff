"""Somebody's kernel: found by name, called with arrays of its own library, its results as NumPy's."""

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

import numpy as np

from .arrays import LIBRARIES, library_of


class Kernel:
    """A forward function with a backward function of its own, or one that its library differentiates.

    target: "package.module:function" or "path/to/file.py:function". Its backward is the function of the
        same name with "_backward", if there is one: it is called with dout and what forward returned
        beside the output, or with dout and forward's arguments if that is only the output. It returns
        the gradients by name (a dict or a NamedTuple) or in the order of forward's arguments.
    library: one of `LIBRARIES`; None for the one that the module imports.
    Raises ValueError, naming what was not found.
    """

    def __init__(self, target, library=None):
        module, self.forward = _load(target)
        self.name = target
        self.backward = getattr(module, f"{self.forward.__name__}_backward", None)
        self.library = LIBRARIES[library or library_of(self.forward, module)]()
        parameters = inspect.signature(self.forward).parameters
        self.takes = tuple(parameters)
        self.needs = tuple(n for n, p in parameters.items() if p.default is p.empty)

    @property
    def differentiable(self):
        """Return whether there are gradients to check."""
        return self.backward is not None or self.library.differentiates

    def results(self, question):
        """Return {"out": …, "dq": …, …} for a `Question`, as float64 arrays; NaN for None."""
        dtype, wanted = question.dtype, question.wanted
        given = {name: self.library.array(value, dtype) for name, value in question.arguments.items()}
        if self.backward is None and wanted and self.library.differentiates:
            dout = self.library.array(question.dout, dtype)
            out, grads = self.library.differentiate(self.forward, given, wanted, dout)
            named = dict(zip((f"d{name}" for name in wanted), grads, strict=True))
        else:
            out, named = self._by_hand(given, question)
        returned = {"out": out} | named
        return {
            name: np.array(np.nan) if x is None else self.library.numpy(x)
            for name, x in returned.items()
        }

    def _by_hand(self, given, question):
        out, *kept = _as_tuple(self.forward(**given))
        wanted = question.wanted
        if self.backward is None or not wanted:
            return out, {}
        dout = self.library.array(question.dout, question.dtype)
        grads = self.backward(dout, *kept) if kept else self.backward(dout, **given)
        if hasattr(grads, "_asdict"):
            grads = grads._asdict()
        if not isinstance(grads, dict):
            grads = dict(zip((f"d{name}" for name in wanted), _as_tuple(grads), strict=False))
        return out, {f"d{name}": grads[f"d{name}"] for name in wanted if f"d{name}" in grads}


def _load(target):
    """Return (module, function); raises ValueError."""
    place, _, name = target.rpartition(":")
    if not place:
        raise ValueError(
            f"{target!r} is no kernel, expected package.module:function or file.py:function"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, f in vars(module).items() if inspect.isfunction(f) and not n.startswith("_")]
        raise ValueError(f"{place} has no function {name!r}, only {', '.join(known) or 'none'}")
    return module, function


def _from_package(name):
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no module {name!r}: {error}") from error


def _from_file(path):
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickles look it up
    spec.loader.exec_module(module)
    return module


def _as_tuple(x):
    return tuple(x) if isinstance(x, tuple | list) else (x,)
