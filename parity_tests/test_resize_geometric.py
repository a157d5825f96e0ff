"""`resize_table` with method "geometric": the spline, and the sites of BEiT's code."""

import itertools

import numpy as np
import pytest
import torch

import torch_impl
from numpy_ref import resize

from . import budget
from .both import TWINS, array, tensor


@TWINS
@pytest.mark.parametrize(("old", "new"), [(4, 5), (7, 14), (3, 3), (12, 40), (5, 4), (2, 3)])
def test_geometric_is_exact_for_a_cubic(twin, old, new):
    """A spline without knots at the second and last but one site is the cubic that it goes through.

    With two tokens there are three sites, and a parabola goes through them.
    """
    sites = array(twin.resize.geometric_sites(2 * old - 1, 2 * new - 1))
    cubic = np.polynomial.Polynomial([0.3, -0.2, 0.1, 0.02 if old > 2 else 0])
    found = array(twin.resize_table(tensor(twin, cubic(sites)[:, None]), old, new, "geometric"))
    if old != new:  # otherwise nothing is interpolated
        places = np.clip(np.arange(1 - new, new), sites[0], sites[-1])
        assert budget.float64("", cubic(places), found[:, 0]).ok


@TWINS
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_spline_through_uneven_sites(twin, count):
    """A cubic is met everywhere, with three sites a parabola, with two a line; outside, the border's."""
    sites = np.cumsum(1 + np.arange(count) ** 2 % 3) - 3.0
    polynomial = np.polynomial.Polynomial([0.3, -0.2, 0.1, 0.02][:count])
    places = np.concatenate([sites, np.linspace(sites[0] - 1, sites[-1] + 1, 21)])
    matrix = array(twin.resize.spline_matrix(tensor(twin, sites), tensor(twin, places)))
    assert matrix.shape == (len(places), count)
    assert budget.float64(
        "", polynomial(np.clip(places, sites[0], sites[-1])), matrix @ polynomial(sites)
    ).ok
    assert budget.float64("", np.eye(count), matrix[:count]).ok


def test_splines_of_the_twins_agree():
    """For any values, where a spline is no polynomial."""
    sites = np.cumsum(1 + np.arange(9.0) ** 2 % 3)
    places = np.linspace(0, 20, 41)
    theirs = torch_impl.resize.spline_matrix(torch.from_numpy(sites), torch.from_numpy(places))
    assert budget.float64("", resize.spline_matrix(sites, places), theirs.numpy()).ok


@TWINS
@pytest.mark.parametrize(("old", "new"), list(itertools.product((1, 2, 3, 7, 12), (1, 2, 5, 12, 16))))
def test_geometric_sites_are_those_of_beits_code(twin, old, new):
    """In plain loops, as in run_class_finetuning.py."""
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        q = (low + high) / 2
        if sum(q**n for n in range(old - 1)) > new - 1:
            high = q
        else:
            low = q
    right = [sum(q**n for n in range(count)) for count in range(1, old)]
    expected = np.array([*(-x for x in reversed(right)), 0, *right], float)
    assert budget.float64("", expected, array(twin.resize.geometric_sites(2 * old - 1, 2 * new - 1))).ok
