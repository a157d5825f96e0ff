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
    diagnoses, most = [], 1
    for mistakes in tried:
        diagnosis = _diagnosis(mistakes, failed, most)
        if diagnosis.explained >= most:
            diagnoses.append(diagnosis)
            most = diagnosis.explained
    found = list({d.texts: d for d in diagnoses if d.explained == most}.values())
    return [d for d in found if not any(_narrower(d, other) for other in found)]


def _narrower(diagnosis, other):
    """Return whether the other's bugs are more general: one in forward only is a case of one in both."""
    pairs = zip(diagnosis.mistakes, other.mistakes, strict=True)
    return diagnosis is not other and all(issubclass(a, b) for a, b in pairs)


def _diagnosis(mistakes, failed, least):
    """Return the Diagnosis; one that cannot explain `least` cases any more is left unfinished."""
    good, made = [], _both(*mistakes)
    for done, answer in enumerate(failed):
        if len(good) + len(failed) - done < least:
            break
        fits, difference = explains(made, answer)
        good += [difference] if fits else []
    return Diagnosis(mistakes, len(good), len(failed), max(good, default=0.0))


def _both(*mistakes):
    """Return a class with all of the mistakes."""
    return type("Mistaken", mistakes, {}) if len(mistakes) > 1 else mistakes[0]


def _distance(a, b):
    """Return the largest difference of a from b, relative to b's largest element.

    It is infinite where only one of the two is finite, or where b has not, nor broadcasts to, a's shape.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    try:
        b = np.broadcast_to(b, a.shape)
    except ValueError:
        return np.inf
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    finite = np.isfinite(a)
    size = np.abs(b[finite]).max(initial=0.0)
    off = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(off / size) if size else float(off > 0) * np.inf if off else 0.0
