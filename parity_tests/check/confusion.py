"""Plant every known bug in a kernel that rounds, diagnose it, and list those not named alone.

The kernel rounds each result at random to float32's grid (`rounded`), as the yardsticks do, and its last
ones to the dtype's. The diagnosis computes the same bug in float64.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .. import budget
from ..rounded import on_grid
from ..rounding import Rounding
from .attention import ATTENTION
from .diagnose import Answer, diagnose

SMALL = 50_000  # pairs of tokens times channels: one larger case is asked where these do not tell


def planted(mistake, question, run=100):
    """Return the results of a kernel with this mistake, whose arithmetic rounds at random.

    For inputs in half precision it computes in float32, and rounds the results once more.
    """
    rounding = Rounding("float32", run)
    arguments = {name: _marked(value, rounding) for name, value in question.arguments.items()}
    dout = _marked(question.dout, rounding)
    made = mistake(dout, **arguments, **question.context)
    results = {name: np.asarray(made.result(name)) for name in question.truth}
    own = Rounding(question.dtype, run)
    results = {name: np.asarray(on_grid(x, own)) for name, x in results.items()}
    return {name: in_shape(x, question.truth[name].shape) for name, x in results.items()}


def in_shape(x, shape):
    """Return x broadcast to the shape; as it is if it does not fit, as dq does not where it is dk."""
    try:
        return np.broadcast_to(x, shape)
    except ValueError:
        return x


def _marked(value, rounding):
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return on_grid(value, rounding) if is_float else value


def questions(dtype, kind=ATTENTION):
    """Return the questions of the small cases, and that of the largest which `--quick` asks."""
    takes = set(kind.arguments)
    cases = [c for c in kind.cases if {*c.inputs, *c.options} <= takes and not kind.is_large(c)]
    small = [kind.question(case, dtype) for case in cases if _work(case) <= SMALL]
    return small, [kind.question(max(cases, key=_work), dtype)]


def _work(case):
    q, k = (case.inputs[name].shape for name in "qk")
    return np.prod(q) * k[2]


def named(mistakes, asked, kind=ATTENTION):
    """Return (number of wrong cases, diagnoses) of a kernel with these mistakes."""
    made = type("Planted", mistakes, {}) if len(mistakes) > 1 else mistakes[0]
    answers = []
    for question in asked:
        results = planted(made, question)
        truth, costs = question.truth, question.costs
        rows = [budget.row(name, truth[name], x, costs.get(name)) for name, x in results.items()]
        answers.append(Answer(question, results, tuple(row.tensor for row in rows if not row.ok)))
    return sum(bool(answer.wrong) for answer in answers), diagnose(answers, kind)


def outcome(mistakes, wrong, found):
    """Return "not noticed", "not named", "named alone", "named with 2 others" or "taken for another"."""
    texts = {frozenset(diagnosis.texts) for diagnosis in found}
    right = frozenset(mistake.__doc__ for mistake in mistakes)
    if not wrong:
        return "not noticed"
    if not texts:
        return "not named"
    if right not in texts:
        return "taken for another"
    others = len(texts) - 1
    return f"named with {others} other{'s' * (others > 1)}" if others else "named alone"


def confusion(dtype, mistakes=ATTENTION.mistakes, show=print):
    """Return a row per mistake: {"planted", "outcome", "wrong_cases", "diagnosed"}."""
    (small, large), rows = questions(dtype), []
    for mistake in mistakes:
        wrong, found = named((mistake,), small)
        if outcome((mistake,), wrong, found) != "named alone":  # rpb-check asks all of them
            wrong, found = named((mistake,), [*small, *large])
        what = outcome((mistake,), wrong, found)
        diagnosed = ["; and ".join(diagnosis.texts) for diagnosis in found]
        rows.append(
            {"planted": mistake.__doc__, "outcome": what, "wrong_cases": wrong, "diagnosed": diagnosed}
        )
        show(f"{dtype}  {what:<20} {mistake.__name__}")
    return rows


def page(found, command):
    """Return {dtype: rows} as Markdown: counts, and the mistakes that are not named alone."""
    lines = ["# Diagnoses of planted bugs", "", f"`{command}`, {datetime.now(UTC):%Y-%m-%d}.", ""]
    lines += [
        "Each known bug of attention is planted in a kernel that rounds every result at random to",
        "float32's grid, and what it returns to the dtype's. The bugs are the classes of",
        '`check/attention`; several may be forms of one bug. "Named alone" means that the diagnosis is',
        "this bug and no other. The lists show the bugs with another outcome, with all bugs that the",
        "diagnosis names.",
        "",
    ]
    for dtype, rows in found.items():
        outcomes = [row["outcome"] for row in rows]
        lines += [f"## {dtype}", "", "| outcome | bugs |", "| --- | --- |"]
        lines += [f"| {what} | {outcomes.count(what)} |" for what in sorted(set(outcomes))]
        lines += [f"| all | {len(rows)} |", ""]
        for row in rows:
            if row["outcome"] != "named alone":
                cases = f"{row['wrong_cases']} case{'s' * (row['wrong_cases'] != 1)} wrong"
                lines += [f"- {row['planted']}:", f"  {row['outcome']}, {cases}"]
                lines += [f"  - {text}" for text in row["diagnosed"]]
        lines += [""]
    return "\n".join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.check.confusion", description=__doc__)
    parser.add_argument("--dtypes", default="float32,bfloat16", help="with commas")
    parser.add_argument("--write", type=Path, help="folder for confusion.md and confusion.json")
    options = parser.parse_args(argv)
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)  # before minutes of work
    found = {dtype: confusion(dtype) for dtype in options.dtypes.split(",")}
    command = f"python -m parity_tests.check.confusion --dtypes {options.dtypes}"
    if options.write:
        (options.write / "confusion.md").write_text(page(found, command))
        (options.write / "confusion.json").write_text(
            json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        )
    print(page(found, command))


if __name__ == "__main__":
    sys.exit(main())
