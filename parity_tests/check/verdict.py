"""Judge a kernel: every case and tensor by the budget, and a diagnosis of what is wrong."""

from dataclasses import dataclass

import numpy as np

from .. import budget
from ..errors import error
from .diagnose import Answer, diagnose
from .kinds import KINDS


@dataclass(frozen=True)
class Finding:
    """One tensor of one case: its row of the budget, and where its largest error is."""

    case: str
    row: budget.Row
    place: tuple
    relative: float

    @property
    def ok(self):
        return self.row.ok


@dataclass(frozen=True)
class Verdict:
    """All findings, the diagnoses, what was left out and why; kind: a key of KINDS.

    scheme: the scheme whose cases were asked, None for all. remarks: further lines on what is wrong.
    """

    kernel: str
    kind: str
    dtype: str
    findings: tuple
    diagnoses: tuple
    left_out: tuple
    scheme: str | None = None
    remarks: tuple = ()

    @property
    def ok(self):
        return bool(self.findings) and all(finding.ok for finding in self.findings)


def judge_kernel(kernel, kind="attention", dtype="float32", quick=False, progress=iter, scheme=None):
    """Return the `Verdict` on a `Kernel`.

    scheme: only cases of that scheme. progress: what the iteration over the cases goes through.
    """
    judged = KINDS[kind].of_scheme(scheme)
    asked = judged.questions(dtype, kernel.takes, kernel.needs, quick)
    findings, answers = [], []
    for question in progress(asked):
        results = KINDS[kind].accepted(kernel.results(question), question)
        found = [_finding(question, name, result) for name, result in results.items()]
        findings += found
        wrong = tuple(f.row.tensor for f in found if not f.ok)
        answers.append(Answer(question, results, wrong))
    left_out = judged.left_out(kernel.takes, kernel.needs)
    if any(question.wanted for question in asked) and not kernel.differentiable:
        left_out.append("gradients: there is no backward function")
    return Verdict(
        kernel.name,
        kind,
        dtype,
        tuple(findings),
        tuple(diagnose(answers, judged)),
        tuple(left_out),
        judged.scheme,
        tuple(judged.remarks(answers)),
    )


def _finding(question, name, result):
    truth = question.truth[name]
    row = budget.row(name, truth, result, question.costs.get(name), name in question.moved)
    if result.shape != truth.shape:
        return Finding(question.case.id, row, (), np.inf)
    off = np.abs(error(truth, result))
    off = np.where(np.isnan(off), np.inf, off)
    place = tuple(int(at) for at in np.unravel_index(np.argmax(off), off.shape))
    size = np.abs(truth).max()
    return Finding(question.case.id, row, place, float(off.max() / size) if size else float(off.max()))
