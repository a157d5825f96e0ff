"""Say what the wrong cases have in common, where no known bug explains them all."""

LINES = 3


def patterns(findings, questions, kind):
    """Return lines, each on some tensors: the feature that all their wrong cases have.

    findings: `Finding`s of a verdict. questions: {case id: Question}. kind: its `features` are tried,
    and which arguments are given. A feature that no right case has comes first. Of the others only the
    one with the fewest right cases counts, and only if most cases with it are wrong.
    """
    wrong, asked = {}, {}
    for finding in findings:
        asked.setdefault(finding.row.tensor, set()).add(finding.case)
        if not finding.ok:
            wrong.setdefault(finding.row.tensor, set()).add(finding.case)
    found = {}
    for tensor, cases in wrong.items():
        line = _line(cases, {case: questions[case] for case in asked[tensor]}, kind)
        found.setdefault(line, []).append(tensor)
    return [
        f"{', '.join(filter(None, tensors))}: {line}".removeprefix(": ")
        for line, tensors in found.items()
        if line
    ][:LINES]


def _line(wrong, questions, kind):
    """Return the feature in words, "" for none."""
    fits = []
    for words, has in features(questions.values(), kind).items():
        cases = {case for case, question in questions.items() if has(question)}
        if wrong <= cases < questions.keys() and 2 * len(wrong) > len(cases):
            fits.append((len(cases - wrong), words))
    if not fits:
        return ""
    right, words = min(fits, key=lambda fit: fit[0])
    if not right:
        cases = f"all {len(wrong)} cases" if len(wrong) > 1 else "the one case"
        return f"wrong in {cases} {words}, and in no other"
    return f"wrong only in cases {words}, in {len(wrong)} of {len(wrong) + right}"


def features(questions, kind):
    """Return {words: function of a question}: which arguments are given, and the kind's features."""
    names = {name: None for question in questions for name in question.arguments}
    with_them = {f"with {name}": _given(name) for name in names}
    without = {f"without {name}": _absent(name) for name in names}
    return dict(kind.features) | with_them | without


def _given(name):
    return lambda question: question.arguments.get(name) is not None


def _absent(name):
    return lambda question: question.arguments.get(name) is None
