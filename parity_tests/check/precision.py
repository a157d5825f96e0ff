"""Find the step that a kernel computes in too low a precision, from the size of its errors.

A sum in another order has other errors, so no mistake of this kind gives a kernel's results. But each
gives errors of a certain spread σ: larger where a row of the table has more pairs, say. It is measured on
random runs of the step. Then the kernel's errors e are taken for normal numbers with the variance

    v = σ² + (β s)²,

where s is what rounding to the kernel's own dtype costs (its yardstick's spread), and β is one of OWN,
whichever is the most likely. A step is named if

- in every tensor the errors are within a FACTOR of √v, as root mean square; and their median is that of
  normal numbers within a FACTOR up and its square down, so that they are not a few large ones (a tensor's
  elements have several spreads, which are measured roughly: that makes the median smaller);
- the errors are no common factor of the truth: Σ e t is at most a FACTOR times its own spread;
- no other step is more than LIKELIER, each tensor of a case counted as one observation: the errors within
  it are not independent.

Each is the median over the cases where the tensor is wrong, or should be by σ.
"""

from typing import NamedTuple

import numpy as np

from ..errors import error
from ..rounding import Rounding

DRAWS, POOLED = 8, 4  # POOLED: weight, in draws, of the tensor's mean square in each element's spread
OWN = (1 / 8, 1 / 4, 1 / 2)
FACTOR = 2.0
LIKELIER = 20.0
FEW = 6  # cases that are drawn, of the wrong ones and of the others
MEDIAN = 0.6745  # of the sizes of normal numbers
HALF = ("float16", "bfloat16")
LOWER = {"float64": ("float32", *HALF)}  # what a step may have, for inputs of this dtype
NAMES = {"float16": "float16 or TF32"}  # they have the same number of digits


class Piece(NamedTuple):
    """A tensor of a case: the kernel's squared errors, σ², s², Σ e t, its spread, whether it is wrong."""

    tensor: str
    errors: np.ndarray
    step: np.ndarray
    own: np.ndarray
    common: float
    common_step: float
    wrong: bool

    def variance(self, beta):
        return self.step + beta**2 * self.own

    def tells(self):
        """Return whether the tensor is wrong, or should be."""
        return self.wrong or np.mean(self.step) > np.mean(9 * self.own)


class Fit(NamedTuple):
    """How well a step describes a kernel's errors.

    likelihood: the log likelihood. ratios, medians: {tensor: error / √v}. common: (Σ e t) / its spread.
    rounding: {tensor: error / s}. cases: how many were drawn, of the wrong ones.
    """

    step: type
    likelihood: float
    ratios: dict
    medians: dict
    common: float
    rounding: dict
    cases: int

    @property
    def good(self):
        return (
            all(1 / FACTOR <= size <= FACTOR for size in self.ratios.values())
            and all(1 / FACTOR**2 <= size <= FACTOR for size in self.medians.values())
            and self.common <= FACTOR
        )

    @property
    def evidence(self):
        """How large the errors are, in words."""
        return "; ".join(
            f"the errors of {name} are {ratio:.2f} times what that costs and {self.rounding[name]:.3g} "
            "times what rounding costs"
            for name, ratio in self.ratios.items()
        )


def imprecise_steps(answers, steps):
    """Return the Fits of the steps in lower precision that give the kernel's errors.

    answers: `Answer`s. steps: subclasses of the kind's reference and of `Noise`, without a dtype.
    """
    wrong, right = ([a for a in answers if bool(a.wrong) == bad] for bad in (True, False))
    chosen = [*_some(wrong), *_some(right)]
    if not wrong or not all(np.isfinite(x).all() for a in wrong for x in a.results.values()):
        return []
    dtypes = LOWER.get(chosen[0].question.dtype, HALF)
    found = [_fit(in_dtype(step, dtype), chosen) for step in steps for dtype in dtypes]
    best = max(fit.likelihood for fit in found)
    good = [fit for fit in found if fit.good and fit.likelihood > best - np.log(LIKELIER)]
    return sorted(good, key=lambda fit: -fit.likelihood)


def in_dtype(step, dtype):
    """Return the step in this dtype."""
    text = step.__doc__.format(dtype=NAMES.get(dtype, dtype))
    return type(step.__name__, (step,), {"dtype": dtype, "__doc__": text})


def _some(answers):
    """Return a few of the answers, of all sizes."""
    ordered = sorted(answers, key=lambda a: a.question.truth["out"].size)
    return ordered[:: -(-len(ordered) // FEW)] if ordered else []


def _fit(step, answers):
    pieces = [piece for answer in answers for piece in _pieces(step, answer)]
    likelihood, beta = max((sum(_likelihood(p, beta) for p in pieces), beta) for beta in OWN)
    told = [p for p in pieces if p.tells()]
    commons = [p.common / p.common_step for p in told if p.common_step]
    return Fit(
        step,
        likelihood,
        _median(told, lambda p: np.sqrt(np.sum(p.errors) / np.sum(p.variance(beta)))),
        _median(told, lambda p: np.sqrt(np.median(p.errors / p.variance(beta))) / MEDIAN),
        float(np.median(commons)) if commons else 0.0,
        _median(told, lambda p: np.sqrt(np.mean(p.errors / p.own))),
        sum(bool(answer.wrong) for answer in answers),
    )


def _likelihood(piece, beta):
    """Return the mean log likelihood of the piece's errors."""
    v = piece.variance(beta)
    return -0.5 * float(np.mean(piece.errors / v + np.log(v)))


def _median(pieces, size):
    """Return {tensor: median of the sizes of its pieces}."""
    sizes = {}
    for piece in pieces:
        sizes.setdefault(piece.tensor, []).append(size(piece))
    return {tensor: float(np.median(each)) for tensor, each in sizes.items()}


def _pieces(step, answer):
    """Return a Piece per tensor of the answer that has a truth other than 0."""
    question = answer.question
    drawn = [_draw(step, question, answer.results, draw) for draw in range(DRAWS)]
    for name, result in answer.results.items():
        truth = question.truth[name]
        if not np.any(truth):
            continue
        off, offs = error(truth, result), [error(truth, each[name]) for each in drawn]
        squares = np.sum(np.square(offs), 0)
        spread = (squares + POOLED / DRAWS * np.mean(squares)) / (DRAWS + POOLED)
        common = np.sqrt(np.mean([np.sum(each * truth) ** 2 for each in offs]))
        yield Piece(
            name,
            np.square(off),
            spread,
            _own(question, name),
            abs(np.sum(off * truth)),
            common,
            name in answer.wrong,
        )


def _draw(step, question, names, seed):
    made = type(step.__name__, (step,), {"rounding": Rounding(step.dtype, seed)})
    drawn = question.asked_of(made)
    return {name: drawn.result(name) for name in names}


def _own(question, name):
    """Return s²; in float64, where there is no yardstick, from rounding the truth once."""
    if name in question.costs:
        return np.square(question.costs[name].spread)
    truth = question.truth[name]
    return np.full(truth.shape, (2.0**-53 * np.abs(truth).max()) ** 2)
