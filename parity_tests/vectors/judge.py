"""Judge the results that another program computed from the vectors."""

import argparse
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..cases import Case
from ..check.diagnose import Answer, diagnose
from ..check.kind import Question
from ..check.kinds import KINDS
from ..check.report import text
from ..check.verdict import Verdict, finding_of
from ..errors import Measures
from ..yardstick import Yardstick
from .cases import chosen
from .read import Vectors, results_of

DATA = Path(__file__).parent / "data"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.vectors judge", description=__doc__)
    parser.add_argument("results", type=Path, help="folder with <dtype>/<id>.safetensors, or .npy files")
    parser.add_argument("--vectors", type=Path, default=DATA, help="folder of the manifest")
    options = parser.parse_args(argv)
    try:
        verdicts, problems, absent = judge(options.results, Vectors(options.vectors))
    except ValueError as error:
        parser.error(str(error))
    print("\n\n".join(map(text, verdicts)))
    print(*problems, sep="\n", end="\n" if problems else "")
    print(*not_judged(absent), sep="\n", end="\n" if absent else "")
    return int(bool(problems) or not all(verdict.ok for verdict in verdicts))


def judge(folder, vectors):
    """Return a Verdict per kind, scheme and dtype, a line per problem, and the entries without results.

    Raises ValueError if there are no results at all, or if the vectors are damaged.
    """
    verdicts, problems, absent = [], [], []
    for (kind, scheme, dtype), entries in _groups(vectors.entries).items():
        judged = KINDS[kind].of_scheme(scheme) if kind in KINDS else None
        findings, answers = [], []
        for entry in entries:
            results, wrong = results_of(folder, entry)
            problems += wrong
            if not results:
                absent.append(entry)
                continue
            question = question_of(entry, vectors.tensors(entry))
            if judged:
                results = judged.accepted(results, question)
            axes = judged.axes if judged else {}
            found = [finding_of(question, name, result, axes) for name, result in results.items()]
            findings += found
            bad = tuple(finding.row.tensor for finding in found if not finding.ok)
            answers.append(Answer(question, results, bad))
        if answers:
            given = (str(folder), kind, dtype, tuple(findings))
            diagnoses = diagnose(answers, judged) if judged else ()
            remarks = judged.remarks(answers) if judged else ()
            verdicts.append(Verdict(*given, tuple(diagnoses), (), scheme, tuple(remarks)))
    if not verdicts and not problems:
        raise ValueError(f"{folder}: has no results; {vectors.entries[0]['file']} would be one file")
    return verdicts, problems, absent


def question_of(entry, tensors):
    """Return the Question of a case from its entry in the manifest and its tensors."""
    kind, dtype = entry["kind"], entry["dtype"]
    case = _cases().get(entry["id"], Case(kind, entry["scheme"] or kind, entry["id"]))
    arguments = {n.removeprefix("input."): a for n, a in tensors.items() if n.startswith("input.")}
    arguments |= {name: _tuples(value) for name, value in entry["options"].items()}
    truth = {name: tensors[f"truth.{name}"] for name in entry["outputs"]}
    costs = {
        name: Yardstick(truth[name], tensors[f"spread.{name}"], Measures(*output["cost"]))
        for name, output in entry["outputs"].items()
        if output["rule"] == "rounding"
    }
    moved = frozenset(n for n, output in entry["outputs"].items() if output["rule"] == "exact")
    near = "float64" if dtype == "int64" else dtype
    context = KINDS[kind].context(case, near) if kind in KINDS else {}
    dout = tensors.get("cotangent.out")
    question = Question(case, near, arguments, dout, truth, costs, moved, context)
    return replace(question, truth=KINDS[kind].accepted(truth, question)) if kind in KINDS else question


def not_judged(absent):
    """Return lines that say how many cases of which kinds have no results."""
    counts = Counter((entry["kind"], entry["dtype"]) for entry in absent)
    kinds = dict.fromkeys(kind for kind, _ in counts)
    for kind in kinds:
        found = [f"{count} in {dtype}" for (of, dtype), count in counts.items() if of == kind]
        yield f"not judged, as there are no results: {kind}, {', '.join(found)}"


@cache
def _cases():
    """Return {id: case}; the cases know the grids of an index, by which a mistake is named."""
    return {row.id: row.case for row in chosen(full=True)}


def _groups(entries):
    """Return {(kind, scheme, dtype): [entry]}."""
    groups = {}
    for entry in entries:
        groups.setdefault((entry["kind"], entry["scheme"], entry["dtype"]), []).append(entry)
    return groups


def _tuples(value):
    """Return the value with tuples for JSON's lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
