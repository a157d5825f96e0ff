"""What rounding costs: how far runs of the definition with random rounding are off the truth."""

from dataclasses import dataclass

import numpy as np

from .errors import Measures, error, measures
from .rounding import Rounding

DRAWS = 16
POOLED = 4  # draws' worth of the whole tensor's mean square steady the spread of an element
LEAST = {"float32": 2.0**-126, "float16": 2.0**-24, "bfloat16": 2.0**-126}  # below, all may become 0


@dataclass(frozen=True)
class Yardstick:
    """The truth, the spread of each element, and the Measures of the worst draw.

    The spread is the root mean square of an element's error over the draws. A draw is measured by the
    spread of the others.
    """

    truth: np.ndarray
    spread: np.ndarray
    cost: Measures


def yardsticks(truth, run, dtype, draws=DRAWS):
    """{tensor: Yardstick}; truth: {name: array} in float64, run(Rounding): the same, rounded by it.

    Raises ValueError where a draw is not finite and the truth is: such a yardstick would allow anything.
    """
    with np.errstate(all="ignore"):
        results = [run(Rounding(dtype, n)) for n in range(draws)]
    found = {name: _yardstick(a, [each[name] for each in results], dtype) for name, a in truth.items()}
    for name, yardstick in found.items():
        if not np.isfinite(yardstick.cost).all():
            raise ValueError(f"{name}: rounding to {dtype} costs {yardstick.cost}")
    return found


def _yardstick(truth, drawn, dtype):
    truth = np.asarray(truth, np.float64)
    offs = [error(truth, each) for each in drawn]
    total, once = sum(off * off for off in offs), _once(truth, dtype)
    costs = [measures(truth, off, _spread(total - off * off, len(offs) - 1, once)) for off in offs]
    spread = _spread(total, len(offs), once)
    costs.append(_cost_of_independent(truth, spread))
    return Yardstick(truth, spread, Measures(*np.max(costs, axis=0)))


def _once(truth, dtype):
    """The spread of rounding the truth once: anywhere within half a spacing, which makes 1/√3 of it."""
    size = np.where(np.isfinite(truth), np.abs(truth), 0)
    return np.maximum(Rounding(dtype, 0).eps / 2 * size, LEAST[dtype]) / np.sqrt(3)


def _cost_of_independent(truth, spread):
    """The Measures of errors of this spread that are independent of each other, as far as they go.

    √3 spreads is the most for one rounding. What they have in common is normal: 2 deviations.
    """
    finite = np.where(np.isfinite(truth), truth, 0)
    power = np.sum(finite * finite)
    common = 2 * np.sqrt(np.sum(np.square(spread * finite))) / power if power else 1.0
    return Measures(np.sqrt(3), 1.0, common)


def _spread(squares, draws, least):
    """From the sum over the draws of each element's squared error."""
    pooled = POOLED * np.mean(squares) / draws if squares.size else 0
    return np.maximum(np.sqrt((squares + pooled) / (draws + POOLED)), least)
