"""Which cases a kernel is run on, and what is left out."""

from fnmatch import fnmatch

from ..cases import Denormal
from .report import short


def cases_for(kernel, kind, dtype="float32", quick=False, pattern="*"):
    """Return the cases of a Kind that fit the kernel's arguments, its library, and the pattern.

    Raises ValueError if there is none.
    """
    foreign = [name for name in kernel.needs if name not in kind.arguments]
    if foreign:
        known = ", ".join(kind.arguments)
        raise ValueError(
            f"{kernel.name} needs {', '.join(foreign)}: no argument of the kind {kind.name} ({known})"
        )
    fit = kind.fitting(taken(kernel, kind), kernel.needs, quick)
    if any(map(has_denormals, fit)) and not kernel.library.keeps_denormals(dtype):
        fit = [case for case in fit if not has_denormals(case)]
    if not fit:
        raise ValueError(f"no case of the kind {kind.name} fits the arguments of {kernel.name}")
    named = [case for case in fit if _is_named(case, kind, pattern)]
    if not named:
        names = ", ".join(case.variant for case in fit)
        raise ValueError(f"no case is named {pattern!r}, only {names}")
    return named


def has_denormals(case):
    """Return whether some input is below the smallest normal number."""
    return any(isinstance(spec, Denormal) for spec in case.inputs.values())


def _is_named(case, kind, pattern):
    names = (case.id, case.variant, short(case.id, kind.name))
    return any(fnmatch(name, pattern) for name in names)


def left_out(kernel, kind, dtype, without=""):
    """Yield what is not checked, and why."""
    if not kernel.differentiable and len(kind.axes) > 1:
        yield "gradients: there is no backward function"
    elif without:
        names = [name for name in kind.axes if name != "out" and fnmatch(name, without)]
        yield f"{', '.join(names)}: left out by --without"
    denormal = [case for case in kind.cases if has_denormals(case)]
    if denormal and not kernel.library.keeps_denormals(dtype):
        yield f"cases of denormal numbers: {len(denormal)}, {kernel.library_name} takes these for 0 here"
    yield from kind.left_out(taken(kernel, kind), kernel.needs)


def taken(kernel, kind):
    """Return the names of the arguments that the kernel takes."""
    return tuple(kind.arguments) if kernel.takes is None else kernel.takes
