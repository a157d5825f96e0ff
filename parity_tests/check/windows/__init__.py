"""Kernels of shifted windows: the partition of a map into windows, the reverse, and the mask."""

import math

from ...cases import CASES
from ..kind import Kind
from .features import FEATURES
from .mistakes import OF_PARTITION, OF_REVERSE
from .reference import Partition, Reverse

WORK = 100_000  # elements of the map: larger cases are left out of --quick

WINDOW = {
    "window_size": "(wh, ww), tokens of a window, vertical first",
    "shift_size": "(sh, sw): how far the map is rolled up and to the left; (0, 0) if it is not given."
    " Along an axis with one window the map is not rolled",
}


def pair(size):
    """Return (n, n) for n, and a pair as it is."""
    return (size, size) if isinstance(size, int) else size


class OfWindows(Kind):
    """A kind whose sizes are all pairs."""

    def options(self, case):
        return {name: pair(value) for name, value in case.options.items()}


class _OfMaps(OfWindows):
    def is_large(self, case):
        return any(math.prod(spec.shape) > WORK for spec in case.inputs.values())


def _cases(name):
    return tuple(case for case in CASES if (case.kind, case.name) == ("op", name))


WINDOWS = _OfMaps(
    name="windows",
    about="out = the windows of x, padded with 0 below and on the right, and rolled up and to the left",
    arguments={"x": "(B, H, W, C)"} | WINDOW,
    axes={"out": ("window", "token", "channel"), "dx": ("batch", "row", "column", "channel")},
    cases=_cases("window_partition"),
    reference=Partition,
    mistakes=OF_PARTITION,
    defaults={"shift_size": (0, 0)},
    features=FEATURES,
)
REVERSE = _OfMaps(
    name="reverse",
    about="out = the map of these windows, rolled back and without padding [+ residual]",
    arguments={
        "windows": "(B·nW, wh·ww, C), windows of an image together, row by row",
        "size": "(H, W) of the map",
        **WINDOW,
        "residual": "(B, H, W, C), added to the map; or not given",
    },
    axes={
        "out": ("batch", "row", "column", "channel"),
        "dwindows": ("window", "token", "channel"),
        "dresidual": ("batch", "row", "column", "channel"),
    },
    cases=_cases("window_reverse"),
    reference=Reverse,
    mistakes=OF_REVERSE,
    defaults={"shift_size": (0, 0)},
    features=FEATURES,
)
