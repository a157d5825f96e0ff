"""A verdict in words, as JSON, and as JUnit's XML."""

import json
from xml.etree import ElementTree

from .kinds import KINDS

WORST = 5  # tensors that are shown


def text(verdict):
    """Return the verdict as lines that say what is wrong, and where."""
    cases = {finding.case for finding in verdict.findings}
    wrong = [finding for finding in verdict.findings if not finding.ok]
    failed = {finding.case for finding in wrong}
    lines = [f"{verdict.kernel} in {verdict.dtype}: {len(cases)} cases, {len(failed)} wrong"]
    lines += [f"not checked: {left}" for left in verdict.left_out]
    if not cases:
        return "\n".join([*lines, "no case fits the function's arguments"])
    if verdict.ok:
        share = max(finding.row.budget_share for finding in verdict.findings)
        return "\n".join([*lines, f"right: the largest error is {share:.0%} of what rounding allows"])
    shown = sorted(wrong, key=lambda f: -f.row.budget_share)[:WORST]
    lines += ["", f"{'case':<32} {'tensor':<7} {'error':>8} {'of budget':>9}  worst element"]
    lines += [_line(finding, verdict.kind) for finding in shown]
    lines += [f"and {len(wrong) - len(shown)} tensors more"] if len(wrong) > len(shown) else []
    return "\n".join([*lines, "", *_diagnosis(verdict)])


def _line(finding, kind):
    row = finding.row
    name, at = finding.case.removeprefix(f"op-{kind}-"), place(finding, kind)
    return f"{name:<32} {row.tensor:<7} {finding.relative:>8.1e} {row.budget_share:>9.1e}  {at}"


def place(finding, kind):
    """Return where the worst element is, in words."""
    if not finding.place:
        return "the shape is wrong" if finding.relative == float("inf") else ""
    axes = KINDS[kind].axes[finding.row.tensor]
    return ", ".join(f"{axis} {at}" for axis, at in zip(axes, finding.place, strict=False))


def _diagnosis(verdict):
    if not verdict.diagnoses:
        yield "no known bug, and no two or three of them, give these results"
        return
    yield "this is what these bugs give:" if len(verdict.diagnoses) == 1 else "one of these:"
    for diagnosis in verdict.diagnoses:
        yield "  - " + "; and ".join(diagnosis.texts)
        yield f"    {diagnosis.evidence}"


def as_json(verdict):
    """Return the verdict as JSON."""
    found = [
        {
            "case": f.case,
            "tensor": f.row.tensor,
            "ok": f.ok,
            "error": f.relative,
            "share_of_budget": f.row.budget_share,
            "worst_element": f.place,
        }
        for f in verdict.findings
    ]
    diagnoses = [
        {
            "bugs": d.texts,
            "explained": d.explained,
            "failed": d.failed,
            "difference": d.difference,
            "evidence": d.evidence,
        }
        for d in verdict.diagnoses
    ]
    return json.dumps(
        {
            "kernel": verdict.kernel,
            "kind": verdict.kind,
            "dtype": verdict.dtype,
            "ok": verdict.ok,
            "not_checked": verdict.left_out,
            "diagnoses": diagnoses,
            "tensors": found,
        },
        indent=1,
        ensure_ascii=False,
    )


def as_junit(verdict):
    """Return the verdict as JUnit's XML: a test per case and tensor."""
    wrong = sum(not finding.ok for finding in verdict.findings)
    suite = ElementTree.Element(
        "testsuite", name="rpb-check", tests=str(len(verdict.findings)), failures=str(wrong)
    )
    for finding in verdict.findings:
        name = f"{finding.case}-{finding.row.tensor}"
        test = ElementTree.SubElement(suite, "testcase", classname=verdict.kernel, name=name)
        if not finding.ok:
            message = f"error {finding.relative:.2e}, {finding.row.budget_share:.1e} of the budget"
            ElementTree.SubElement(test, "failure", message=message).text = place(finding, verdict.kind)
    return ElementTree.tostring(suite, encoding="unicode")
