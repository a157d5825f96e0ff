"""Convert a verdict to JSON or JUnit XML, and write a file whole or not at all."""

import json
import math
import os
import re
from pathlib import Path
from xml.etree import ElementTree

from .report import text

FORMAT = 1  # of the JSON; a later number means other keys
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(verdict):
    """Return the verdict as JSON; docs/check_kernel.md describes it. NaN and infinity are null."""
    tensors = [
        {
            "case": f.case,
            "tensor": f.row.tensor or None,
            "ok": f.ok,
            "error": _number(f.relative),
            "share_of_budget": _number(f.row.budget_share),
            "worst_element": f.place or None,
            "where": f.where or None,
            "got": _number(f.got),
            "expected": _number(f.expected),
            "problem": f.problem or None,
            "traceback": f.trace,
        }
        for f in verdict.findings
    ]
    diagnoses = [
        {
            "bugs": d.texts,
            "explained": d.explained,
            "failed": d.failed,
            "difference": d.difference,
            "not_explained": d.others,
        }
        for d in verdict.diagnoses
    ]
    whole = {
        "format": FORMAT,
        "kernel": verdict.kernel,
        "kind": verdict.kind,
        "dtype": verdict.dtype,
        "scheme": verdict.scheme,
        "library": verdict.library,
        "ok": verdict.ok,
        "cases": len(verdict.cases),
        "wrong_cases": verdict.failed,
        "diagnoses": diagnoses,
        "patterns": verdict.patterns,
        "remarks": verdict.remarks,
        "notes": verdict.notes,
        "not_checked": verdict.left_out,
        "tensors": tensors,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)


def _number(x):
    return x if x is not None and math.isfinite(x) else None


def as_junit(verdict):
    """Return the verdict as JUnit's XML: a test per case and tensor, the report as its output."""
    found = verdict.findings
    counts = {
        "tests": len(found),
        "failures": sum(not f.ok and not f.trace for f in found),
        "errors": sum(bool(f.trace) for f in found),
        "skipped": 0,
        "time": f"{sum(f.seconds for f in found):.3f}",
    }
    counts = {name: str(value) for name, value in counts.items()}
    suites = ElementTree.Element("testsuites", name="rpb-check", **counts)
    name = f"rpb-check {verdict.kind} {verdict.dtype}"
    suite = ElementTree.SubElement(suites, "testsuite", name=name, **counts)
    names = set()
    for finding in found:
        _add_test(suite, verdict.kernel, finding, names)
    ElementTree.SubElement(suite, "system-out").text = _xml(text(verdict))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _add_test(suite, kernel, finding, names):
    name = f"{finding.case}-{finding.row.tensor or 'call'}"
    name += "-again" if name in names else ""
    names.add(name)
    attributes = {"classname": kernel, "name": name, "time": f"{finding.seconds:.6f}"}
    test = ElementTree.SubElement(suite, "testcase", attributes)
    if finding.ok:
        return
    error = f"error {finding.relative:.2e}, {finding.row.budget_share:.1e} of what rounding allows"
    message = finding.problem or error
    kind = "error" if finding.trace else "failure"
    wrong = ElementTree.SubElement(test, kind, message=_xml(message), type=_type_of(finding))
    wrong.text = _xml("\n".join([message, finding.where, *finding.trace]))


def _type_of(finding):
    return finding.problem.partition(":")[0] if finding.trace else "wrong result"


def _xml(words):
    """Return the words without the characters that XML cannot hold."""
    return NOT_XML.sub("?", words)


def write_whole(path, words):
    """Write a text file beside its place, then put it there in one step."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_text(words, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
