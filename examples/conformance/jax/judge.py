"""Judge a result: exact, within float64's tolerance, or within what rounding does."""

import math

import numpy as np


def share(result, truth, how, rules, spread=None):
    """Return the largest measure as a share of what is allowed: right if it is at most 1.

    how: the output's entry in the manifest: shape, rule, cost.
    rules: the manifest's factors.
    spread: the element's typical error, only with the rule "rounding".
    """
    if list(result.shape) != how["shape"]:
        return math.inf
    if how["rule"] == "exact":
        return 0.0 if (np.asarray(result) == truth).all() else math.inf
    r, t = (np.asarray(x).astype(np.float64).ravel() for x in (result, truth))
    hidden = np.isneginf(t)
    if (np.isneginf(r) != hidden).any() or not np.isfinite(r[~hidden]).all():
        return math.inf
    r, t = np.where(hidden, 0, r), np.where(hidden, 0, t)
    if how["rule"] == "float64":
        allowed = rules["float64"] * max(1, abs(t).max(initial=0))
        return float(abs(r - t).max(initial=0) / allowed)
    if how["rule"] != "rounding":
        raise ValueError(f"rule {how['rule']!r} is unknown")
    limits = rules["rounding"] * np.array(how["cost"])
    return max(map(ratio, measures(r - t, t, spread.astype(np.float64).ravel()), limits))


def measures(e, t, spread):
    """Return largest, typical and common error."""
    scaled, power = e / spread, (t * t).sum()
    common = abs((e * t).sum()) / power if power > 0 else 0.0
    return abs(scaled).max(), math.sqrt((scaled * scaled).mean()), common


def ratio(measure, allowed):
    """Return measure / allowed, where 0 / 0 is 0: no error where none is allowed."""
    if allowed > 0:
        return float(measure / allowed)
    return 0.0 if measure == 0 else math.inf
