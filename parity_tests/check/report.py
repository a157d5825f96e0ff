"""The verdict as text."""

from textwrap import wrap

from .words import counted

WIDTH = 100
NAMED = 4  # cases, or bugs, that are named
CLEAR = 100  # times the largest element: beyond it the truth is nearly 0
SMALL = 0.01  # of what rounding allows: below it the number says no more
PLAIN = 1e3  # times what rounding allows: beyond it a case is as wrong as any other
FAR = 1e6  # times what rounding allows: beyond it the number says no more


def text(verdict, verbose=False):
    """Return the verdict as lines that say what is wrong, and where; verbose: every case and tensor."""
    lines = [_heading(verdict), _counts(verdict)]
    if verbose:
        lines += ["", *_every(verdict), ""]
    if verdict.failed:
        lines += [*_wrong(verdict), "", *_diagnosis(verdict)]
        lines += [*verdict.remarks, ""] if verdict.remarks else []
        if verdict.smallest and len(verdict.cases) > 1:
            smallest = short(verdict.smallest, verdict.kind)
            lines += [f"a small wrong case alone: --case {smallest}"]
    else:
        lines += [_right(verdict)]
    lines += [f"note: {note}" for note in verdict.notes]
    lines += [f"not checked: {left}" for left in verdict.left_out]
    return _joined(lines)


def text_of_case(verdict, whole):
    """Return the verdict on a case that is wrong, with the diagnosis of the verdict on many."""
    lines = [_heading(verdict), *_wrong(verdict), "", f"small cases: {_counts(whole)}"]
    return _joined([*lines, *_diagnosis(whole)])


def _counts(verdict):
    return f"{counted(len(verdict.cases), 'case')}, {len(verdict.failed)} wrong"


def _heading(verdict):
    judged = f"{verdict.kernel}, {verdict.kind}"
    judged += f" in {verdict.dtype}" if verdict.takes_floats else ""
    judged += f", scheme {verdict.scheme}" if verdict.scheme else ""
    judged += f", {verdict.library} arrays" if verdict.library else ""
    return judged


def _joined(lines):
    return "\n".join(part for line in lines for part in _folded(line))


def _right(verdict):
    share = max(finding.row.budget_share for finding in verdict.findings)
    if all(finding.row.max_error == 0 for finding in verdict.findings):
        return "right: all results are equal, bit for bit"
    size = f"{share:.0%}" if share > SMALL else f"below {SMALL:.0%}"
    return f"right: the largest error is {size} of what rounding allows"


def _wrong(verdict):
    """Return what is wrong: problems, and the worst element of each tensor."""
    wrong = {finding.row.tensor: None for finding in verdict.findings if not finding.ok}
    tensors = dict.fromkeys(finding.row.tensor for finding in verdict.findings)
    right = [] if "" in wrong else [name for name in tensors if name not in wrong]
    lines = [f"right in all cases: {', '.join(right)}"] if right else []
    return [*lines, *_problems(verdict), *_worst(verdict, [name for name in tensors if name in wrong])]


def _problems(verdict):
    """Yield what is wrong besides values, each once with its cases."""
    groups = {}
    for finding in verdict.findings:
        if finding.problem:
            groups.setdefault((finding.row.tensor, finding.general), []).append(finding)
    if groups:
        yield ""
    for (tensor, _), found in groups.items():
        wrong = list(dict.fromkeys(f.case for f in found))
        every = len(wrong) == len(verdict.cases)
        cases = "every case" if every else _names(wrong, verdict.kind)
        yield f"{f'{tensor}: ' if tensor else ''}{found[0].problem}, in {cases}"
        yield from (f"    {line}" for line in found[0].trace)


def _worst(verdict, tensors):
    """Yield a table with the worst element of each tensor that is wrong, and in how many cases it is."""
    rows, several = [], len(verdict.cases) > 1
    for tensor in tensors:
        wrong = [f for f in verdict.findings if f.row.tensor == tensor and not f.ok]
        placed = [f for f in wrong if f.where]
        if placed:
            clear = [f for f in placed if f.relative < CLEAR] or placed
            worst = max(clear, key=lambda f: (min(f.row.budget_share, PLAIN), f.relative))
            name = short(worst.case, verdict.kind)
            count = f" {f'{len(wrong)} of {len(verdict.cases)}':>9}" if several else ""
            begin = f"{tensor:<7}{count} {_numbers(worst)}  "
            rows.append(f"{begin}{name}: {worst.where}")
            rows.append(f"{'':>{len(begin)}}is {worst.got:.6g}, expected {worst.expected:.6g}")
    if rows:
        count = f" {'wrong in':>9}" if several else ""
        yield from ("", f"{'tensor':<7}{count} {'error':>8} {'x allowed':>10}  worst element")
        yield from rows


def _every(verdict):
    """Yield a line for each case and tensor."""
    width = max(len(short(case, verdict.kind)) for case in verdict.cases)
    yield f"{'case':<{width}} {'tensor':<7} {'error':>8} {'x allowed':>10}"
    for f in verdict.findings:
        mark = "" if f.ok else "  wrong"
        yield f"{short(f.case, verdict.kind):<{width}} {f.row.tensor:<7} {_numbers(f)}{mark}"


def _numbers(finding):
    share = finding.row.budget_share
    times = f"{share:.2g}" if share < FAR else f"> {FAR:.0e}".replace("e+0", "e")
    return f"{finding.relative:>8.1e} {times:>10}"


def _diagnosis(verdict):
    """Yield the bugs that give these results, with the evidence."""
    valued = any(finding.where and not finding.ok for finding in verdict.findings)
    if not verdict.diagnoses and not valued:
        return  # there is nothing to explain
    if verdict.diagnoses:
        yield _what_it_gives(verdict)
    else:
        yield "no known bug, and no two or three of them, give these results"
    for diagnosis in verdict.diagnoses[:NAMED]:
        yield "  - " + "; and ".join(diagnosis.texts)
        yield f"    {diagnosis.evidence}"
        if diagnosis.others:
            yield f"    not explained: {_names(diagnosis.others, verdict.kind)}"
        if more := len(verdict.failed) - diagnosis.failed:
            yield f"    {counted(more, 'more wrong case')} gave nothing to compare"
    if len(verdict.diagnoses) > NAMED:
        yield f"  - or {len(verdict.diagnoses) - NAMED} others"
    yield from verdict.patterns
    yield ""


def _what_it_gives(verdict):
    """Return the line above the diagnoses: whether they explain all wrong cases, most, or a few."""
    first, one = verdict.diagnoses[0], len(verdict.diagnoses) == 1
    if first.is_whole:
        return "this is what a known bug gives:" if one else "one of these known bugs gives this:"
    which = "a known bug" if one else "one of these known bugs"
    if 2 * first.explained > first.failed:
        return f"{which} gives the results of most wrong cases:"
    return f"perhaps {which}, but it gives the results of few wrong cases:"


def _names(cases, kind):
    """Return the names of a few cases, and how many more there are."""
    more = f" and {len(cases) - NAMED} more" if len(cases) > NAMED else ""
    return ", ".join(short(case, kind) for case in cases[:NAMED]) + more


def short(case, kind):
    """Return a case's name without what all cases of the kind begin with."""
    if case.startswith(("op-", "function-")):
        return case.rpartition("-")[2]
    return case.removeprefix(f"{kind}-")


def _folded(line):
    """Return the lines of a long line, further ones indented as the first is, and by four more."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]
