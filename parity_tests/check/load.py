"""Find a user's function by name, and read which arguments it takes."""

import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from .trace import last_lines


@dataclass(frozen=True)
class Signature:
    """The arguments of a callable.

    names: in order. needs: those without a default. anything: whether it takes names beyond these.
    by_position: whether it cannot be called by name. defaults: {name: value} of the others.
    """

    names: tuple
    needs: tuple
    anything: bool = False
    by_position: bool = False
    defaults: dict = field(default_factory=dict)


def load(target):
    """Return (function, backward or None, module) of "package.module:function" or "file.py:function".

    Raises ValueError, naming what was not found.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise ValueError(
            f"{target!r} is no kernel, expected package.module:function or file.py:function"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    owner, function = module, module
    for part in name.split("."):
        owner, function = function, getattr(function, part, None)
    _check_function(function, place, name, module)
    return function, backward_of(function, owner, name.rpartition(".")[2]), module


def backward_of(function, owner, name):
    """Return the function `<name>_backward` beside it, an object's method `backward`, or None."""
    beside = getattr(owner, f"{name}_backward", None)
    if beside is not None or not _is_own_object(function):
        return beside
    return getattr(function, "backward", None)


def signature_of(function):
    """Return the `Signature` of a function, a partial, a PyTorch module or op, or an object called."""
    if isinstance(function, functools.partial):
        signature = signature_of(function.func)
        bound = {*signature.names[: len(function.args)], *function.keywords}
        return _without(signature, bound)
    schema = _schema(function)
    if schema is not None:
        return Signature(
            tuple(a.name for a in schema), tuple(a.name for a in schema if not a.has_default_value())
        )
    owner = getattr(function, "__self__", None)
    if inspect.isclass(owner) and function.__name__ == "apply" and hasattr(owner, "forward"):
        forward = _of_python(owner.forward)  # of a torch.autograd.Function
        context = forward.names[: 0 if "setup_context" in vars(owner) else 1]
        return replace(_without(forward, context), by_position=True)
    if hasattr(function, "forward") and not inspect.isclass(function):
        return _of_python(function.forward)  # a torch.nn.Module: its __call__ takes anything
    return _of_python(function)


def _of_python(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return Signature((), (), anything=True)
    kinds = {p.kind for p in parameters}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    anything = inspect.Parameter.VAR_KEYWORD in kinds
    if not named and not anything:
        raise ValueError(f"{function!r} names no arguments, expected those of the kind")
    return Signature(
        tuple(p.name for p in named),
        tuple(p.name for p in named if p.default is p.empty),
        anything=anything,
        by_position=inspect.Parameter.POSITIONAL_ONLY in kinds,
        defaults={p.name: p.default for p in named if p.default is not p.empty},
    )


def _without(signature, names):
    """Return the signature without some of the arguments."""
    left = tuple(name for name in signature.names if name not in names)
    needs = tuple(name for name in signature.needs if name not in names)
    return replace(signature, names=left, needs=needs)


def _schema(function):
    """Return the arguments in the schema of a PyTorch operator, or None."""
    overload = getattr(function, "_opoverload", None) or getattr(function, "default", function)
    return getattr(getattr(overload, "_schema", None), "arguments", None)


def _is_own_object(function):
    """Return whether it is an object of a class with __call__, none of a library's."""
    return "__call__" in vars(type(function)) and not isinstance(function, functools.partial)


def _check_function(function, place, name, module):
    if isinstance(function, ModuleType) or not callable(function):
        known = [n for n, f in vars(module).items() if not n.startswith("_") and _is_function(f)]
        near = difflib.get_close_matches(name, known, 1)
        hint = f", did you mean {near[0]!r}?" if near else f", only {', '.join(known) or 'none'}"
        raise ValueError(f"{place} has no function {name!r}{hint}")
    if inspect.isclass(function):
        apply = f", did you mean {f'{name}.apply'!r}?" if hasattr(function, "apply") else ""
        raise ValueError(
            f"{name} in {place} is a class, expected a function or an object of the class{apply}"
        )


def _is_function(f):
    return callable(f) and not inspect.isclass(f)


def _from_package(name):
    _search(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ValueError(f"there is no module {name!r}: {error}") from error
        raise _not_imported(name, error) from error
    except Exception as error:
        raise _not_imported(name, error) from error


def _from_file(path):
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    _search(path.parent.absolute())  # for what lies beside it, as `python file.py` does
    name = f"_checked_{path.stem}"  # no module of a library
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look it up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _not_imported(path, error) from error
    return module


def _search(folder):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _not_imported(place, error):
    at = f" ({last_lines(error)[-1]})" if last_lines(error) else ""
    return ValueError(f"{place} cannot be imported: {type(error).__name__}: {error}{at}")
