"""Which cases a kernel is run on, and what is left out."""

from difflib import get_close_matches
from fnmatch import fnmatch

from ..cases import Denormal
from .kinds import KINDS
from .report import short
from .words import counted, listed

NEAR = 0.65  # of difflib: "indices" and "scaling" are near, "value" is not near "table"
IN_FULL = {"q": "query", "k": "key", "v": "value"}


def cases_for(kernel, kind, dtype="float32", quick=False, pattern="*"):
    """Return the cases of a Kind that fit the kernel's arguments, its library, and the pattern.

    Raises ValueError if there is none, with the names that may be meant and the kinds that fit.
    """
    foreign = [name for name in kernel.needs if name not in kind.arguments]
    if foreign:
        known = ", ".join(kind.arguments)
        raise ValueError(
            f"{kernel.name} needs {', '.join(foreign)}: no argument of the kind {kind.name} ({known})"
            f"{_meant(foreign, kernel, kind)}{_other_kinds(kernel, kind)}"
        )
    fit = kind.fitting(taken(kernel, kind), kernel.needs, quick)
    if any(map(has_denormals, fit)) and not kernel.library.keeps_denormals(dtype):
        fit = [case for case in fit if not has_denormals(case)]
    if not fit:
        why = "; ".join(kind.left_out(taken(kernel, kind), kernel.needs))
        raise ValueError(
            f"no case of the kind {kind.name} fits the arguments of {kernel.name}"
            f"{f': {why}' if why else ''}{_other_kinds(kernel, kind)}"
        )
    named = [case for case in fit if _is_named(case, kind, pattern)]
    if not named:
        names = ", ".join(case.variant for case in fit)
        raise ValueError(f"no case is named {pattern!r}, only {names}")
    return named


def _other_kinds(kernel, kind):
    """Return "; its arguments fit --kind bias", or "" if they fit none."""
    fit = [
        name
        for name, other in KINDS.items()
        if name != kind.name and other.of_scheme(None).fitting(taken(kernel, other), kernel.needs)
    ]
    return f"; its arguments fit --kind {listed(fit, 'or')}" if fit else ""


def _meant(names, kernel, kind):
    """Return "; did you mean scale?" for names that are like arguments of the kind, else ""."""
    free = [name for name in kind.arguments if name not in taken(kernel, kind)]
    near = {name: _near(name.lower(), free) for name in names if name not in kind.arguments}
    near = list(dict.fromkeys(filter(None, near.values())))
    return f"; did you mean {listed(near)}?" if near else ""


def _near(name, known):
    """Return the argument that is a word of the name, or nearly the name; None if there is none."""
    words = [word for word in known if word in name.split("_") or name == IN_FULL.get(word)]
    near = words or get_close_matches(name, known, 1, NEAR)
    return near[0] if near else None


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
    fit = kind.fitting(taken(kernel, kind), kernel.needs)
    denormal = [case for case in fit if has_denormals(case)]
    if denormal and not kernel.library.keeps_denormals(dtype):
        cases = counted(len(denormal), "case")
        yield f"{cases} with denormal numbers, which {kernel.library_name} takes for 0 here"
    yield from kind.left_out(taken(kernel, kind), kernel.needs)


def never_given(kernel, kind):
    """Yield a note on the optional arguments that the kernel gets in no case."""
    fit = kind.fitting(taken(kernel, kind), kernel.needs)
    given = {name for case in fit for name in (*case.inputs, *case.options)}
    never = [name for name in kernel.takes or () if name not in given]
    if never:
        yield f"no case gives {listed(never, 'or')}{_meant(never, kernel, kind)}"


def taken(kernel, kind):
    """Return the names of the arguments that the kernel takes."""
    return tuple(kind.arguments) if kernel.takes is None else kernel.takes
