"""Find the known bug that makes a kernel's results: run each mistake and compare."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from .precision import imprecise_steps

# A diagnosis, not a verdict: how close two wrong results must be, relative to the largest element.
NEAR = {"float64": 1e-9, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
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
    """

    mistakes: tuple
    explained: int
    failed: int
    difference: float
    sizes: str = ""

    @property
    def evidence(self):
        """Why it is this one, in words."""
        if self.sizes:
            return f"{self.sizes}; measured in {self.explained} of {self.failed} wrong cases"
        cases = f"{self.explained} of {self.failed} wrong cases"
        return f"with that your results agree to {self.difference:.0e} in {cases}"

    @property
    def texts(self):
        """What each bug is."""
        return tuple(mistake.__doc__ for mistake in self.mistakes)


def diagnose(answers, kind):
    """Return the diagnoses that explain the most of the wrong answers, one or several that do equally.

    Each mistake of the kind is tried alone, then each step in low precision, then every two mistakes,
    then the best two with each third. Nothing is returned if none of them gives the results of any case.
    """
    failed = sorted((a for a in answers if a.wrong), key=lambda a: a.question.truth["out"].size)
    best = _best([(mistake,) for mistake in kind.mistakes], failed)
    if failed and not (best and best[0].explained == len(failed)):
        imprecise = _imprecise(answers, kind, len(failed))
        if imprecise:
            return imprecise
    for more in (_pairs, _triples):
        if not failed or (best and best[0].explained == len(failed)):
            return best
        better = _best(more(kind.mistakes, best, failed), failed)
        if better and (not best or better[0].explained > best[0].explained):
            best = better
    return best


def _imprecise(answers, kind, failed):
    """Return the steps in low precision that fit, each text once."""
    fits = imprecise_steps(answers, kind.steps) if kind.steps else []
    found = [Diagnosis((fit.step,), fit.cases, failed, 0.0, fit.evidence) for fit in fits]
    return list({d.texts: d for d in reversed(found)}.values())[::-1]


def _pairs(mistakes, best, failed):
    """Return the pairs of mistakes that explain the most of a few of the failed cases."""
    few = failed[:: -(-len(failed) // FEW)]
    pairs = [pair for pair in combinations(mistakes, 2) if not _related(*pair)]
    counts = [(sum(explains(_both(*pair), a)[0] for a in few), pair) for pair in pairs]
    most = max(count for count, _ in counts)
    return [pair for count, pair in counts if count == most and most]


def _triples(mistakes, best, failed):
    """Return the best diagnosis with each mistake more."""
    if not best or len(best[0].mistakes) < 2:
        return []
    first = best[0].mistakes
    return [(*first, m) for m in mistakes if not any(_related(m, f) for f in first)]


def _related(a, b):
    return issubclass(a, b) or issubclass(b, a)


def explains(mistake, answer):
    """Return whether a mistake gives the answer's results, and the largest relative difference."""
    question, largest = answer.question, 0.0
    near = NEAR[question.dtype]
    mistaken = question.asked_of(mistake)
    for name, result in answer.results.items():
        off = _distance(result, mistaken.result(name))
        wrong = _distance(result, question.truth[name])
        if off > near or (name in answer.wrong and off > EXPLAINED * wrong):
            return False, off
        largest = max(largest, off)
    return True, largest


def _best(tried, failed):
    """Return the Diagnoses of those sets of mistakes that explain the most cases, each text once."""
    diagnoses = [_diagnosis(mistakes, failed) for mistakes in tried]
    most = max((d.explained for d in diagnoses), default=0)
    found = {d.texts: d for d in diagnoses if d.explained == most and most}
    return list(found.values())


def _diagnosis(mistakes, failed):
    tries = [explains(_both(*mistakes), answer) for answer in failed]
    good = [difference for fits, difference in tries if fits]
    return Diagnosis(mistakes, len(good), len(failed), max(good, default=0.0))


def _both(*mistakes):
    """Return a class with all of the mistakes."""
    return type("Mistaken", mistakes, {}) if len(mistakes) > 1 else mistakes[0]


def _distance(a, b):
    """Return the largest difference relative to the largest element; infinite where only one is NaN."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    size = np.abs(b[finite]).max(initial=0.0)
    off = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(off / size) if size else float(off > 0) * np.inf if off else 0.0
