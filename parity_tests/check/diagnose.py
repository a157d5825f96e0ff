"""Find the known bug that gives a kernel's results: run each mistake and compare."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from .. import budget
from .precision import imprecise_steps

# A diagnosis, not a verdict: how close two wrong results must be, relative to the largest element.
# A score of 10⁴ is 10⁻³ off in float32.
NEAR = {"float64": 1e-9, "float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}
EXPLAINED = 0.1  # share of the error that a diagnosis may leave unexplained
FEW = 6  # cases that pairs of mistakes are tried on first


class Answer(NamedTuple):
    """What a kernel returned for a question, {name: array}, and the names of the wrong tensors."""

    question: object
    results: dict
    wrong: tuple


class Diagnosis(NamedTuple):
    """A known bug, or several together, that gives the kernel's results.

    mistakes: their classes. explained, failed: numbers of cases. difference: the largest difference
    between the kernel's results and the bug's, relative to each tensor's largest element. sizes: of the
    errors, in words, where the results cannot be compared: those of a step in low precision.
    others: ids of the wrong cases in which the kernel's results are not the bug's.
    """

    mistakes: tuple
    explained: int
    failed: int
    difference: float
    sizes: str = ""
    others: tuple = ()

    @property
    def is_whole(self):
        """Whether it explains all wrong cases; for a step in low precision a few are measured."""
        return self.explained == self.failed or bool(self.sizes)

    @property
    def evidence(self):
        """Why it is this one, in words."""
        cases = f"{self.explained} of {self.failed} wrong cases"
        if self.failed == 1:
            cases = "the one wrong case"
        if self.sizes:
            return f"{self.sizes}; measured in {cases}"
        closely = f"to {self.difference:.0e}" if self.difference else "exactly"
        return f"with that your results agree {closely} in {cases}"

    @property
    def texts(self):
        """What each bug is."""
        return tuple(mistake.__doc__ for mistake in self.mistakes)


def diagnose(answers, kind):
    """Return the diagnoses that explain the most of the wrong answers, one or several that do equally.

    Each mistake of the kind is tried alone, then each step in low precision, then every two mistakes,
    then the best two with each third. Nothing is returned if none of them gives the results of any case.
    Of those that do equally well the ones are returned that change the fewest of the right answers.
    """
    failed = sorted((a for a in answers if a.wrong), key=_work)
    right = [a for a in answers if not a.wrong]
    best = _best([(mistake,) for mistake in kind.mistakes], failed, right)
    if failed and not (best and best[0].explained == len(failed)):
        imprecise = _imprecise(answers, kind, len(failed))
        if imprecise:
            return imprecise
    for more in (_pairs, _triples):
        if not failed or (best and best[0].explained == len(failed)):
            return best
        better = _best(more(kind.mistakes, best, failed), failed, right)
        if better and (not best or better[0].explained > best[0].explained):
            best = better
    return best


def _work(answer):
    return sum(np.size(value) for value in answer.question.arguments.values())


def _imprecise(answers, kind, failed):
    """Return the steps in low precision that fit, each text once."""
    fits = imprecise_steps(answers, kind.steps) if kind.steps else []
    found = [Diagnosis((fit.step,), fit.cases, failed, 0.0, fit.evidence) for fit in fits]
    return list({d.texts: d for d in reversed(found)}.values())[::-1]


def _pairs(mistakes, best, failed):
    """Return the pairs of mistakes that explain the most of a few of the smaller failed cases."""
    smaller = failed[: -(-2 * len(failed) // 3)]
    few = smaller[:: -(-len(smaller) // FEW)]
    pairs = _plausible(mistakes, few)
    counts = [(sum(explains(_both(*pair), a)[0] for a in few), pair) for pair in pairs]
    most = max((count for count, _ in counts), default=0)
    return [pair for count, pair in counts if count == most and most]


def _plausible(mistakes, few):
    """Return the pairs of unrelated mistakes that may give the results of one of the answers."""
    cases = []
    for answer in few:
        effects = {mistake: _effect(mistake, answer) for mistake in mistakes}
        alone = set().union(*(given for _, given in effects.values()))
        cases.append((set(answer.wrong), alone, effects))
    for a, b in combinations(mistakes, 2):
        if not _related(a, b) and any(_may(wrong, alone, of[a], of[b]) for wrong, alone, of in cases):
            yield a, b


def _effect(mistake, answer):
    """Return the names of the results that a mistake changes, and of those that it gives as they are."""
    question, near = answer.question, NEAR[answer.question.dtype]
    plain, fitted = question.asked_of(mistake), mistaken(mistake, answer)
    changed, given = set(), set()
    for name, result in answer.results.items():
        if _distance(plain.result(name), question.truth[name]) > NEAR["float64"]:
            changed.add(name)
            if _distance(result, fitted.result(name), _rounding(question, name)) <= near:
                given.add(name)
    return changed, given


def _may(wrong, alone, a, b):
    """Return whether two mistakes together may make these results wrong; a, b: their effects.

    A result that only one of them changes is as that one alone gives it. If both change it, no single
    mistake gives it; alone: the results that a single one gives.
    """
    (by_a, given_a), (by_b, given_b) = a, b
    one_each = by_a - by_b <= given_a and by_b - by_a <= given_b
    return wrong <= by_a | by_b and one_each and not by_a & by_b & alone


def _triples(mistakes, best, failed):
    """Return the best diagnosis with each mistake more."""
    if not best or len(best[0].mistakes) < 2:
        return []
    first = best[0].mistakes
    return [(*first, m) for m in mistakes if not any(_related(m, f) for f in first)]


def _related(a, b):
    """Return whether the two are one bug in different forms."""
    same_family = getattr(a, "family", a) == getattr(b, "family", b)
    return same_family or issubclass(a, b) or issubclass(b, a)


def explains(mistake, answer):
    """Return whether a mistake gives the answer's results, and the largest relative difference."""
    question, largest = answer.question, 0.0
    if not answer.results.keys() & {*answer.wrong} and answer.wrong:
        return False, np.inf  # only the shapes are wrong
    near = NEAR[question.dtype]
    known = mistaken(mistake, answer)
    for name in sorted(answer.results, key=lambda name: name not in answer.wrong):
        result = answer.results[name]
        given, truth = known.result(name), question.truth[name]
        off = _distance(result, given, _rounding(question, name))
        if off > near:
            return False, off
        apart = _distance(result, given)
        if name in answer.wrong and apart > EXPLAINED * _distance(result, truth):
            return False, off
        largest = max(largest, apart if apart <= near else off)  # all of it, where b is not nearly 0
    return True, largest


def mistaken(mistake, answer):
    """Return the mistake asked the answer's question; what is free in it is fitted to the answer."""
    known = answer.question.asked_of(mistake)
    if hasattr(known, "fit"):
        truth = answer.question.truth
        known.fit({name: x for name, x in answer.results.items() if x.shape == truth[name].shape})
    return known


def _best(tried, failed, right):
    """Return the Diagnoses of those sets of mistakes that explain the most cases, each text once.

    Of several, those are left out that would make more of the right cases wrong than another does, and
    then those that are fitted to the results.
    """
    few, most, found = failed[:2], 1, []
    promising = sorted(tried, key=lambda tried: -sum(explains(_both(*tried), a)[0] for a in few))
    for mistakes in promising:
        diagnosis = _diagnosis(mistakes, failed, most)
        if diagnosis:
            found = [d for d in found if d.explained == diagnosis.explained] + [diagnosis]
            most = diagnosis.explained
    if len(found) > 1:
        harm = [sum(not explains(_both(*d.mistakes), a)[0] for a in right) for d in found]
        found = [d for d, wrong in zip(found, harm, strict=True) if wrong == min(harm)]
    exact = [d for d in found if not any(hasattr(m, "fit") for m in d.mistakes)]
    found = list({d.texts: d for d in exact or found}.values())
    return [d for d in found if not any(_narrower(d, other) for other in found)]


def _narrower(diagnosis, other):
    """Return whether the other's bugs are more general: one in forward only is a case of one in both."""
    pairs = zip(diagnosis.mistakes, other.mistakes, strict=True)
    return diagnosis is not other and all(issubclass(a, b) for a, b in pairs)


def _diagnosis(mistakes, failed, least):
    """Return the Diagnosis, or None if it explains fewer than `least` cases."""
    both, good, others = _both(*mistakes), [], []
    for left, answer in zip(range(len(failed), 0, -1), failed, strict=True):
        if len(good) + left < least:
            return None
        fits, difference = explains(both, answer)
        good += [difference] if fits else []
        others += [] if fits else [answer.question.case.id]
    if len(good) < least:
        return None
    return Diagnosis(mistakes, len(good), len(failed), max(good), others=tuple(others))


def _both(*mistakes):
    """Return a class with all of the mistakes."""
    return type("Mistaken", mistakes, {}) if len(mistakes) > 1 else mistakes[0]


def _rounding(question, name):
    """Return what rounding alone may change in an element of a tensor."""
    truth, yardstick = question.truth[name], question.costs.get(name)
    if yardstick is not None:
        return np.max(yardstick.spread, initial=0.0)
    return budget.FLOAT64 * np.max(np.abs(truth), initial=1.0) if truth.dtype.kind == "f" else 0.0


def _distance(a, b, slack=0.0):
    """Return by how much more than `slack` an element differs, relative to b's largest element.

    It is infinite where only one of the two is finite, or where b has not, nor broadcasts to, a's shape,
    and for an empty a, which anything would give.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not a.size:
        return np.inf
    if a.ndim != b.ndim or any(n not in (1, size) for n, size in zip(b.shape, a.shape, strict=True)):
        return np.inf
    b = np.broadcast_to(b, a.shape)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    size = np.abs(b[finite]).max(initial=0.0)
    off = max(np.abs(a[finite] - b[finite]).max(initial=0.0) - slack, 0.0)
    return float(off / size) if size else float(off > 0) * np.inf if off else 0.0
