"""Find the known bug that makes a kernel's results: run each mistake and compare."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

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
    between the kernel's results and the bug's, relative to each tensor's largest element.
    """

    mistakes: tuple
    explained: int
    failed: int
    difference: float

    @property
    def texts(self):
        """What each bug is."""
        return tuple(mistake.__doc__ for mistake in self.mistakes)


def diagnose(answers, kind):
    """Return the diagnoses that explain the most of the wrong answers, one or several that do equally.

    Each mistake of the kind is tried alone, then every two, then the best two with each third. Nothing
    is returned if none of them gives the results of any case.
    """
    failed = sorted((a for a in answers if a.wrong), key=lambda a: a.question.truth["out"].size)
    best = _best([(mistake,) for mistake in kind.mistakes], failed)
    for more in (_pairs, _triples):
        if not failed or (best and best[0].explained == len(failed)):
            return best
        better = _best(more(kind.mistakes, best, failed), failed)
        if better and (not best or better[0].explained > best[0].explained):
            best = better
    return best


def _pairs(mistakes, best, failed):
    """Return the pairs of mistakes that explain the most of a few of the failed cases."""
    few = failed[:: -(-len(failed) // FEW)]
    pairs = [pair for pair in _plausible(mistakes, few) if not _related(*pair)]
    counts = [(sum(explains(_both(*pair), a)[0] for a in few), pair) for pair in pairs]
    most = max((count for count, _ in counts), default=0)
    return [pair for count, pair in counts if count == most and most]


def _plausible(mistakes, few):
    """Return the pairs that may explain the output: one that changes it alone must do so alone."""
    changing, explaining = set(), set()
    for mistake in mistakes:
        for answer in few:
            out = mistaken(mistake, answer).result("out")
            if _distance(out, answer.question.truth["out"]) > NEAR["float64"]:
                changing.add(mistake)
                if _distance(answer.results.get("out", np.nan), out) <= NEAR[answer.question.dtype]:
                    explaining.add(mistake)
    some_right = any("out" not in answer.wrong for answer in few)
    for pair in combinations(mistakes, 2):
        to_output = changing.intersection(pair)
        if len(to_output) == 2 or (to_output <= explaining if to_output else some_right):
            yield pair


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
    known = mistaken(mistake, answer)
    for name, result in answer.results.items():
        least = _rounding(question, name)
        off = _distance(result, known.result(name), least)
        wrong = _distance(result, question.truth[name], least)
        if off > near or (name in answer.wrong and off > EXPLAINED * wrong):
            return False, off
        largest = max(largest, off)
    return True, largest


def mistaken(mistake, answer):
    """Return the mistake asked the answer's question; what is free in it is fitted to the answer."""
    known = answer.question.asked_of(mistake)
    if hasattr(known, "fit"):
        known.fit(answer.results)
    return known


def _best(tried, failed):
    """Return the Diagnoses of those sets of mistakes that explain the most cases, each text once.

    One that is fitted to the results is left out where another explains as many.
    """
    diagnoses = [_diagnosis(mistakes, failed) for mistakes in tried]
    most = max((d.explained for d in diagnoses), default=0)
    found = {d.texts: d for d in diagnoses if d.explained == most and most}
    exact = [d for d in found.values() if not any(hasattr(m, "fit") for m in d.mistakes)]
    return exact or list(found.values())


def _diagnosis(mistakes, failed):
    tries = [explains(_both(*mistakes), answer) for answer in failed]
    good = [difference for fits, difference in tries if fits]
    return Diagnosis(mistakes, len(good), len(failed), max(good, default=0.0))


def _both(*mistakes):
    """Return a class with all of the mistakes."""
    return type("Mistaken", mistakes, {}) if len(mistakes) > 1 else mistakes[0]


def _rounding(question, name):
    """Return what rounding alone may change in a tensor: 0 in float64 and in integers."""
    yardstick = question.costs.get(name)
    return 0.0 if yardstick is None else np.max(yardstick.spread, initial=0.0)


def _distance(a, b, least=0.0):
    """Return the largest difference relative to b's largest element, or `least` if that is smaller.

    It is infinite where only one of the two is finite.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    size = max(np.abs(b[finite]).max(initial=0.0), least)
    off = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(off / size) if size else float(off > 0) * np.inf if off else 0.0
