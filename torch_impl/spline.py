"""The cubic spline through given points, as a matrix that acts on the values."""

import torch
from torch import Tensor


def spline_matrix(sites: Tensor, places: Tensor) -> Tensor:
    """Return S (m, n) so that S @ values is the cubic spline through (sites, values), at the places.

    S = B(places) B(sites)⁻¹, with a column of B for each B-spline. The knots are the sites without the
    second and the last but one ("not a knot", as in FITPACK). Three sites have a parabola, two a line.
    Outside the sites the value is that of the nearest one.

    sites: (n,), ascending; places: (m,). Both float64.
    """
    degree = min(3, len(sites) - 1)
    ends = sites[:1].repeat(degree + 1), sites[-1:].repeat(degree + 1)
    knots = torch.cat([ends[0], sites[2:-2], ends[1]])
    at_sites, at_places = (b_splines(knots, degree, x) for x in (sites, places))
    return torch.linalg.solve(at_sites, at_places, left=False)


def b_splines(knots: Tensor, degree: int, x: Tensor) -> Tensor:
    """Return each B-spline's value at x, moved into the knots' range: (m, len(knots) − degree − 1).

    B_i of degree d is, by de Boor's recursion from the steps of degree 0,

        (x − k_i) / (k_i+d − k_i) B_i + (k_i+d+1 − x) / (k_i+d+1 − k_i+1) B_i+1  of degree d − 1,

    with 0 for 0/0. The last step is closed, so that the last knot belongs to it.

    knots: ascending, the first and the last repeated degree + 1 times; x: (m,).
    """
    x = x.clamp(knots[0], knots[-1])
    step = torch.searchsorted(knots, x, right=True) - 1
    last = len(knots) - degree - 2
    values = torch.nn.functional.one_hot(step.clamp(max=last), len(knots) - 1).to(x)
    x = x[:, None]
    for d in range(1, degree + 1):
        up = (x - knots[: -d - 1]) / (knots[d:-1] - knots[: -d - 1])
        down = (knots[d + 1 :] - x) / (knots[d + 1 :] - knots[1:-d])
        up, down = (each.nan_to_num(0, 0, 0) for each in (up, down))
        values = up * values[:, :-1] + down * values[:, 1:]
    return values
