"""Find the step that a kernel computes in too low a precision, from the size of its errors.

The errors of such a step depend on the order of its sums. So its results cannot be compared with a
kernel's, but the size of its errors can. Each step has a spread σ per element. For example, σ is
larger for a row of the table that more pairs read. σ is measured in random runs of the step. The
kernel's errors e are then modelled as normal with the variance

    v = σ² + (β s)²,

where s is the error of rounding to the kernel's own dtype (the spread of its yardstick), and β is the
most likely value of OWN. A step is named if

- in every tensor, both the root mean square and the mean absolute value of the errors are within a
  FACTOR of those of the random runs, so that the errors are not a few large ones;
- the errors are not a common factor of the truth: Σ e t is at most FACTOR² times its own spread;
- in no case are they within FACTOR⁻³ of those runs, as they are where only some cases have the bug
  (tensors of fewer than MANY elements tell nothing);
- no other step is more than LIKELIER times as likely. Each tensor of a case counts as one observation,
  because the errors within a tensor are not independent.

Each of these is the median over the cases in which the tensor is wrong, or should be according to σ.
"""

from typing import NamedTuple

import numpy as np

from ..errors import error
from ..rounding import Rounding

DRAWS, POOLED = 8, 4  # POOLED: weight, in draws, of the tensor's mean square in each element's spread
OWN = (1 / 8, 1 / 4, 1 / 2)
FACTOR = 2.0
MANY = 16
LIKELIER = 20.0
FEW = 6  # cases that are drawn, of the wrong ones and of the others
FIRST = 2  # cases in which all steps are tried; then only those whose errors are within FACTOR³
HALF = ("float16", "bfloat16")
LOWER = {"float64": ("float32", *HALF)}  # what a step may have, for inputs of this dtype
NAMES = {"float16": "float16 or TF32"}  # they have the same number of digits


class Piece(NamedTuple):
    """A tensor of a case: the kernel's squared errors, those of the step's runs, σ² and s².

    common: Σ e t over its spread. wrong: whether the tensor is over budget.
    """

    tensor: str
    errors: np.ndarray
    runs: np.ndarray
    step: np.ndarray
    own: np.ndarray
    common: float
    wrong: bool

    def variance(self, beta):
        return self.step + beta**2 * self.own

    def ratio(self, beta):
        """Return the root mean square of the kernel's errors in units of that of v."""
        return np.sqrt(np.sum(self.errors) / np.sum(self.variance(beta)))

    def size(self, errors, beta):
        """Return the mean absolute value of errors, given their squares, in units of √v."""
        return np.mean(np.sqrt(errors / self.variance(beta)))

    def tells(self):
        """Return whether the tensor is wrong, or should be."""
        return self.wrong or np.mean(self.step) > np.mean(9 * self.own)


class Fit(NamedTuple):
    """How well a step describes a kernel's errors.

    likelihood: the log likelihood. squares, sizes: {tensor: the kernel's errors over the step's}, as
    root mean square and as mean absolute value. common: Σ e t over its spread.
    rounding: {tensor: e / s}. cases: how many were drawn, of the wrong ones. least: of the ratios of
    root mean squares in single cases.
    """

    step: type
    likelihood: float
    squares: dict
    sizes: dict
    common: float
    rounding: dict
    cases: int
    least: float

    @property
    def near(self):
        return all(1 / FACTOR**3 <= ratio <= FACTOR**3 for ratio in self.squares.values())

    @property
    def good(self):
        ratios = [*self.squares.values(), *self.sizes.values()]
        sized = all(1 / FACTOR <= r <= FACTOR for r in ratios) and self.least >= 1 / FACTOR**3
        return sized and self.common <= FACTOR**2

    @property
    def evidence(self):
        """How large the errors are, in words."""
        sizes = ", ".join(f"{name} {ratio:.2f}" for name, ratio in self.squares.items())
        order = f", added up {self.step.order}" if self.step.order else ""
        most = max(self.rounding.values())
        return (
            f"your errors are {sizes} times what that costs{order}, "
            f"and up to {most:.2g} times what rounding costs a right kernel"
        )


def imprecise_steps(answers, steps):
    """Return the Fits of the steps in lower precision that give the kernel's errors.

    answers: `Answer`s. steps: subclasses of the kind's reference and of `Noise`, without a dtype.
    """
    wrong, right = ([a for a in answers if bool(a.wrong) == bad] for bad in (True, False))
    chosen = [*_some(wrong), *_some(right)]
    if not wrong or not all(map(_has_numbers, answers)):
        return []
    dtypes = LOWER.get(chosen[0].question.dtype, HALF)
    tried = [in_dtype(step, dtype) for step in steps for dtype in dtypes]
    tried = [step for step in tried if _fit(step, chosen[:FIRST]).near]
    if not tried:
        return []
    found = [_fit(step, chosen) for step in tried]
    best = max(fit.likelihood for fit in found)
    good = [fit for fit in found if fit.good and fit.likelihood > best - np.log(LIKELIER)]
    good = [fit for fit in good if not any(_says_more(fit.step, other.step) for other in good)]
    return sorted(good, key=lambda fit: -fit.likelihood)


def _says_more(step, other):
    """Return whether a step is low in precision where the other is, and elsewhere."""
    more = issubclass(step.__base__, other.__base__) and step.dtype == other.dtype
    return more and step.__doc__ != other.__doc__


def _has_numbers(answer):
    """Return whether the results have the truth's shapes, and those that are wrong are finite."""
    truth = answer.question.truth
    shaped = all(x.shape == truth[name].shape for name, x in answer.results.items())
    return shaped and (not answer.wrong or all(np.isfinite(x).all() for x in answer.results.values()))


def in_dtype(step, dtype):
    """Return the step in this dtype."""
    text = step.__doc__.format(dtype=NAMES.get(dtype, dtype))
    return type(step.__name__, (step,), {"dtype": dtype, "__doc__": text})


def _some(answers):
    """Return a few of the answers, of all sizes."""
    ordered = sorted(answers, key=lambda a: a.question.truth["out"].size)
    return ordered[:: -(-len(ordered) // FEW)] if ordered else []


@np.errstate(divide="ignore", invalid="ignore")  # where a step has no errors
def _fit(step, answers):
    pieces = [piece for answer in answers for piece in _pieces(step, answer)]
    likelihood, beta = max((sum(_likelihood(p, beta) for p in pieces), beta) for beta in OWN)
    told = [p for p in pieces if p.tells()]
    return Fit(
        step,
        likelihood,
        _median(told, lambda p: p.ratio(beta)),
        _median(told, lambda p: p.size(p.errors, beta) / p.size(p.runs, beta)),
        float(np.median([p.common for p in told])) if told else 0.0,
        _median(told, lambda p: np.sqrt(np.mean(p.errors / p.own))),
        sum(bool(answer.wrong) for answer in answers),
        min((p.ratio(beta) for p in told if p.errors.size >= MANY), default=1.0),
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
        off, offs = error(truth, result), np.array([error(truth, each[name]) for each in drawn])
        squares = np.square(offs)
        spread = (squares.sum(0) + POOLED * squares.mean()) / (DRAWS + POOLED)
        common = np.sqrt(np.mean(np.square([np.sum(each * truth) for each in offs])))
        common = abs(np.sum(off * truth)) / common if common else 0.0
        wrong = name in answer.wrong
        yield Piece(name, np.square(off), squares, spread, _own(question, name), common, wrong)


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
