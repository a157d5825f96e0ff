"""How far a result is from the truth: three numbers, each of which sees what the others miss.

Of a tensor with the truth t, the error e and the spread s (how far rounding takes each element):

    largest   max_i |e_i| / s_i               one wrong element
    typical   √(mean_i (e_i / s_i)²)          a lower precision on the way
    common    |Σ_i e_i t_i| / Σ_i t_i²        a factor that all elements have in common
"""

from typing import NamedTuple

import numpy as np


class Measures(NamedTuple):
    largest: float
    typical: float
    common: float


def error(truth, other):
    """other − truth in float64, for two arrays of one shape; 0 where both are −inf, inf where one is."""
    truth, other = np.asarray(truth, np.float64), np.asarray(other, np.float64)
    both = np.isneginf(truth) & np.isneginf(other)
    return np.subtract(other, truth, out=np.zeros(truth.shape), where=~both)


def measures(truth, off, spread):
    """The Measures of the error `off`; NaN in it makes NaN."""
    if not off.size:
        return Measures(0.0, 0.0, 0.0)
    scaled = off / spread
    finite = np.where(np.isneginf(truth), 0, truth)
    power = np.sum(finite * finite)
    common = abs(np.sum(off * finite)) / power if power else 0.0
    return Measures(np.abs(scaled).max(), np.sqrt(np.mean(scaled * scaled)), common)
