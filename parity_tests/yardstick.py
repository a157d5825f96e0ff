"""Yardsticks: how far runs of plain NumPy with random rounding are from the truth."""

from dataclasses import dataclass

import numpy as np

from .errors import Measures, error, measures
from .rounding import Rounding

DRAWS = 16
POOLED = 4  # weight, in draws, of the tensor's mean squared error in each element's spread
LEAST = {"float32": 2.0**-126, "float16": 2.0**-24, "bfloat16": 2.0**-126}  # smaller numbers may be 0


@dataclass(frozen=True)
class Yardstick:
    """The truth, the spread of each element, and the Measures of the worst draw.

    The spread is the root mean square of an element's error over the draws. The error of a draw is
    measured with the spread of the other draws.
    """

    truth: np.ndarray
    spread: np.ndarray
    cost: Measures


def yardsticks(truth, run, dtype, draws=DRAWS):
    """Return {name: Yardstick}.

    truth: {name: array} in float64. run(Rounding): return the same tensors, computed with that rounding.
    draws: the number of runs. Raises ValueError where a draw is not finite but the truth is: such a
    yardstick would allow any error.
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
    """Return the spread from rounding the truth once: uniform within half a spacing, so 1/√3 of that."""
    size = np.where(np.isfinite(truth), np.abs(truth), 0)
    return np.maximum(Rounding(dtype, 0).eps / 2 * size, LEAST[dtype]) / np.sqrt(3)


def _cost_of_independent(truth, spread):
    """Return the largest plausible Measures of independent errors with this spread.

    A single rounding is at most √3 spreads off. The common part is normal: 2 standard deviations.
    """
    finite = np.where(np.isfinite(truth), truth, 0)
    power = np.sum(finite * finite)
    common = 2 * np.sqrt(np.sum(np.square(spread * finite))) / power if power else 1.0
    return Measures(np.sqrt(3), 1.0, common)


def _spread(squares, draws, least):
    """Return each element's spread; squares: the sum of its squared errors over the draws."""
    pooled = POOLED * np.mean(squares) / draws if squares.size else 0
    return np.maximum(np.sqrt((squares + pooled) / (draws + POOLED)), least)
