"""What a case of windows may have that others do not: where a kernel may be wrong."""

from .reference import Partition, Reverse


def _geometry(question):
    return question.asked_of(Partition if "x" in question.arguments else Reverse)


def _shifted(question):
    return any(_geometry(question).shift())


def _shifted_along_one_axis(question):
    return sum(map(bool, _geometry(question).shift())) == 1


def _padded(question):
    return any(after for _, after in _geometry(question).padding())


def _one_window(question):
    geometry = _geometry(question)
    return any(n == w for n, w in zip(geometry.padded_size(), geometry.window(), strict=True))


FEATURES = {
    "with a shift": _shifted,
    "without a shift": lambda question: not _shifted(question),
    "with a shift along one axis only": _shifted_along_one_axis,
    "with padding": _padded,
    "with padding and a shift": lambda question: _padded(question) and _shifted(question),
    "with one window along an axis": _one_window,
    "with a window that is not square": lambda question: len(set(_geometry(question).window())) > 1,
    "with a map that is not square": lambda question: len(set(_geometry(question).size)) > 1,
}
