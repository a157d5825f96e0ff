"""Judge a kernel: compare every tensor of every case with the budget, and diagnose what is wrong."""

import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatch

import numpy as np

from .. import budget, interpreter
from ..errors import error
from .arrays import LIBRARIES
from .diagnose import Answer, diagnose
from .kinds import KINDS
from .pattern import patterns
from .places import in_words
from .scope import cases_for, left_out, never_given
from .words import counted

TOKENS = ("query", "key", "token")  # axes: a case with one of them says little


@dataclass(frozen=True)
class Finding:
    """One tensor of one case: its row of the budget, and where its largest error is.

    place: indices of that element. where: the same in words, with the tokens' positions and offsets.
    relative: its error over the tensor's largest element. got, expected: its values.
    problem: what is wrong besides values, with the tensor, or with the whole case where the row's tensor
        is "". trace: lines of the kernel's code, for an error that it raised. seconds: of the kernel.
    """

    case: str
    row: budget.Row
    place: tuple
    relative: float
    where: str = ""
    got: float | None = None
    expected: float | None = None
    problem: str = ""
    trace: tuple = ()
    seconds: float = 0.0

    @property
    def ok(self):
        return self.row.ok and not self.problem

    @property
    def general(self):
        """The problem without its numbers, the same for cases of different shapes."""
        return re.sub(r"\d+", "#", self.problem)


@dataclass(frozen=True)
class Verdict:
    """All findings, the diagnoses, what was left out and why; kind: a key of KINDS.

    scheme: the scheme whose cases were asked, None for all. remarks: further lines on what is wrong.
    patterns: what the wrong cases have in common, unless a known bug explains them all.
    notes: what is worth saying but not wrong. library: a key of LIBRARIES.
    smallest: id of the wrong case to look at first, see `_first_to_look_at`, or None.
    takes_floats: as in the Kind.
    """

    kernel: str
    kind: str
    dtype: str
    findings: tuple
    diagnoses: tuple
    left_out: tuple
    scheme: str | None = None
    remarks: tuple = ()
    notes: tuple = ()
    library: str = ""
    smallest: str | None = None
    takes_floats: bool = True
    patterns: tuple = ()

    @property
    def ok(self):
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    @property
    def cases(self):
        """The ids of the cases, in order."""
        return list(dict.fromkeys(finding.case for finding in self.findings))

    @property
    def failed(self):
        """The ids of the wrong cases, in order."""
        return list(dict.fromkeys(finding.case for finding in self.findings if not finding.ok))


def judge_kernel(
    kernel,
    kind="attention",
    dtype="float32",
    quick=False,
    progress=iter,
    scheme=None,
    pattern="*",
    without="",
    diagnosing=True,
):
    """Return the `Verdict` on a `Kernel`.

    kind: a Kind or its name. quick: leave the large cases out. scheme: only cases of that scheme.
    pattern: of the cases' names.
    without: pattern of the gradients that are not judged ("d*": all).
    progress: what the iteration over the cases goes through. diagnosing: whether to look for known bugs.
    Raises ValueError if no case is left.
    """
    kind = (KINDS[kind] if isinstance(kind, str) else kind).of_scheme(scheme)
    kernel.library.array(np.zeros(1), dtype)  # a dtype that is not there is noticed before all else
    findings, answers, returned = [], [], []
    for case in progress(cases_for(kernel, kind, dtype, quick, pattern)):
        question = restricted(kind.question(case, dtype), without)
        found, answer, what = judge_question(kernel, question, kind)
        findings += found
        answers.append(answer)
        returned.append(what)
    again, notes = _second_call(kernel, answers, returned, kind)
    findings += again
    questions = {answer.question.case.id: answer.question for answer in answers}
    diagnoses, common = (), ()
    if diagnosing:
        diagnoses = tuple(diagnose(answers, kind))
        if not (diagnoses and diagnoses[0].is_whole):
            common = tuple(patterns(findings, questions, kind))
    return Verdict(
        kernel.name,
        kind.name,
        dtype,
        tuple(findings),
        diagnoses,
        tuple(left_out(kernel, kind, dtype, without)),
        kind.scheme,
        tuple(kind.remarks(answers)),
        (
            *never_given(kernel, kind),
            *_dtypes(returned if kind.takes_floats else (), dtype),
            *_libraries(returned, kernel.library_name),
            *_interpreted(findings, kernel.library_name, dtype),
            *notes,
        ),
        kernel.library_name,
        _first_to_look_at(findings, questions.values(), kind),
        kind.takes_floats,
        common,
    )


def restricted(question, without):
    """Return the question without the gradients whose names fit the pattern."""
    kept = {n: a for n, a in question.truth.items() if n == "out" or not fnmatch(n, without)}
    return replace(question, truth=kept)


def judge_question(kernel, question, kind):
    """Return ([Finding], Answer, Returned) of one question."""
    start = time.perf_counter()
    returned = kernel.answer(question)
    seconds = time.perf_counter() - start
    returned.results = kind.accepted(returned.results, question)
    for name, dtype in returned.dtypes.items():
        if question.truth[name].dtype.kind in "iu" and "float" in dtype:
            returned.problems[name] = f"{dtype}, expected integers"
            returned.results.pop(name, None)
    found = [finding_of(question, n, x, kind.axes) for n, x in returned.results.items()]
    found += [_problem(question, name, returned) for name in returned.problems]
    found = [replace(finding, seconds=seconds / len(found)) for finding in found]
    wrong = tuple(f.row.tensor for f in found if not f.ok and f.row.tensor in returned.results)
    return found, Answer(question, returned.results, wrong), returned


def finding_of(question, name, result, axes):
    """Return the `Finding` on a result; axes: {result: names of its axes}, of the `Kind`."""
    truth = question.truth[name]
    row = budget.row(name, truth, result, question.costs.get(name), name in question.moved)
    if result.shape != truth.shape:
        problem = f"shape {result.shape}, expected {truth.shape}"
        return Finding(question.case.id, row, (), np.inf, problem=problem)
    if not truth.size:
        return Finding(question.case.id, row, (), 0.0)
    off = np.abs(error(truth, result))
    off = np.where(np.isnan(off), np.inf, off)
    place = tuple(int(at) for at in np.unravel_index(np.argmax(off), off.shape))
    size = np.abs(truth[np.isfinite(truth)]).max(initial=0.0)
    relative = float(off.max() / size) if size else float(off.max())
    where = in_words(axes.get(name, ()), place, question.context.get("grids"))
    lost = np.count_nonzero(~np.isfinite(result) & np.isfinite(truth))
    problem = f"{lost} of {truth.size} elements are NaN or infinite" if lost else ""
    got, expected = float(result[place]), float(truth[place])
    return Finding(question.case.id, row, place, relative, where, got, expected, problem)


def _problem(question, name, returned):
    row = budget.Row(name, np.inf, np.inf)
    problem, trace = returned.problems[name], returned.trace
    return Finding(question.case.id, row, (), np.inf, problem=problem, trace=trace)


def _dtypes(returned, dtype):
    """Return a note for each result that has another float dtype than the inputs."""
    other = {}
    for what in returned:
        for name, found in what.dtypes.items():
            if "float" in found and found != dtype:
                other.setdefault((name, found), []).append(what)
    for (name, found), whats in other.items():
        yield f"{name} is {found} in {counted(len(whats), 'case')}; it is judged as {dtype}"


def _libraries(returned, own):
    """Return a note for each other library whose arrays the kernel returned."""
    found = set().union(*(what.libraries for what in returned)) & LIBRARIES.keys() - {own, "numpy"}
    for other in sorted(found):
        yield f"the kernel was given {own} arrays and returns those of {other}: try --library {other}"


def _interpreted(findings, library, dtype):
    """Return a note if something is wrong that Triton's interpreter may have done."""
    is_right = all(finding.ok for finding in findings)
    if is_right or library != "torch" or not interpreter.is_used():
        return
    if interpreter.fails():
        yield interpreter.REASON
    elif dtype == "bfloat16":
        yield interpreter.NO_BFLOAT16


def _size(question):
    """Return the number of elements of the case's arrays."""
    return sum(np.size(value) for value in (*question.arguments.values(), question.truth["out"]))


def _first_to_look_at(findings, questions, kind):
    """Return the id of the smallest wrong case, or None.

    Cases with several queries, keys or tokens of a window come before those with one, and then cases
    with more wrong tensors before those with fewer.
    """
    wrong = Counter(case for case, _ in {(f.case, f.row.tensor) for f in findings if not f.ok})

    def order(question):
        case = question.case.id
        return _is_of_one_token(question, kind.axes), -wrong[case], _size(question), case

    few = [question for question in questions if question.case.id in wrong]
    return min(few, key=order).case.id if few else None


def _is_of_one_token(question, axes):
    sizes = ((axes[name][-x.ndim :], x.shape) for name, x in question.truth.items() if x.ndim)
    return any((axis, 1) in zip(names, shape, strict=True) for names, shape in sizes for axis in TOKENS)


def _second_call(kernel, answers, returned, kind):
    """Ask the largest question that was answered once more; return ([Finding], [note])."""
    asked = [(a.question, r) for a, r in zip(answers, returned, strict=True) if not r.problems]
    if not asked:
        return [], []
    question, once = max(asked, key=lambda pair: _size(pair[0]))
    before = {n: finding_of(question, n, x, kind.axes) for n, x in once.results.items()}
    found, _, again = judge_question(kernel, question, kind)
    changed = [n for n, x in again.results.items() if not np.array_equal(x, once.results[n], True)]
    turned = "right at the first call, wrong at the second: the kernel keeps state"
    worse = [f for f in found if not f.ok and (f.row.tensor not in before or before[f.row.tensor].ok)]
    names = ", ".join(changed)
    note = f"not deterministic: two calls of {question.case.id} differ in {names}"
    return [replace(f, problem=turned) for f in worse], [note] * bool(changed)
