"""The windows that the kernels are built for, and the functions that a name of bugs makes."""

from ..check.attention import ATTENTION


def _known():
    """Return {(Lq, Lk, rows of the table): (queries' grid, keys' grid, prefix tokens)}."""
    cases = [case.inputs for case in ATTENTION.cases if "index" in case.inputs]
    return {
        (*given["index"].shape, given["table"].shape[0]): given["index"].grids
        for given in cases
        if getattr(given["index"], "grids", None)
    }


KNOWN = _known()


def window_of(index, table):
    """Return (queries' grid, keys' grid, prefix tokens) of a window that is known, or None."""
    return None if index is None else KNOWN.get((*index.shape, len(table)))


def bugs_in(name, known):
    """Return the bugs that a kernel's name lists, "one+another"; raises AttributeError."""
    bugs = frozenset(name.split("+")) - {"right"}
    if not bugs <= known:
        names, others = (", ".join(sorted(some)) for some in (bugs - known, known))
        raise AttributeError(f"no bug {names}, only {others}")
    return bugs
