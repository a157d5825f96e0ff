"""Three measures of how far a result is from the truth; each notices a different kind of fault.

For a tensor with truth t, error e and spread s (each element's error from rounding alone):

    largest   max_i |e_i| / s_i               one wrong element
    typical   √(mean_i (e_i / s_i)²)          a lower precision in between
    common    |Σ_i e_i t_i| / Σ_i t_i²        a wrong factor on all elements
"""

from typing import NamedTuple

import numpy as np


class Measures(NamedTuple):
    largest: float
    typical: float
    common: float


def error(truth, other):
    """Return other − truth in float64; 0 where both are −inf, infinite where only one is."""
    truth, other = np.asarray(truth, np.float64), np.asarray(other, np.float64)
    both = np.isneginf(truth) & np.isneginf(other)
    return np.subtract(other, truth, out=np.zeros(truth.shape), where=~both)


def measures(truth, off, spread):
    """Return the Measures of the error `off`; a NaN in it gives NaN."""
    if not off.size:
        return Measures(0.0, 0.0, 0.0)
    scaled = off / spread
    finite = np.where(np.isneginf(truth), 0, truth)
    power = np.sum(finite * finite)
    common = abs(np.sum(off * finite)) / power if power else 0.0
    return Measures(np.abs(scaled).max(), np.sqrt(np.mean(scaled * scaled)), common)
