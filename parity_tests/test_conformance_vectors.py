"""docs/conformance.md alone passes the vectors, and mistakes show where the page says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from . import budget
from .check.attention.mistakes import MISTAKES
from .check.attention.reference import Grids
from .conformance import PAGE, defined, results_of
from .vectors.cases import chosen

VECTORS = Path(__file__).parent / "vectors" / "data"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())


@pytest.fixture(scope="module")
def page():
    """What the page's blocks define."""
    return defined()


def read(page, case):
    """Return a case's inputs {name: array}, its cotangents, and all tensors of its file."""
    tensors = page.read_tensors((VECTORS / case["file"]).read_bytes())
    at_least = np.float32 if case["dtype"] == "float32" else np.float64
    wide = {n: x if x.dtype.kind == "i" else x.astype(at_least) for n, x in tensors.items()}
    inputs = {name: wide[f"input.{name}"] for name in case["inputs"]}
    return inputs, [wide[name] for name in sorted(wide) if name.startswith("cotangent.")], tensors


@pytest.mark.parametrize("case", MANIFEST["cases"], ids=lambda case: f"{case['id']}-{case['dtype']}")
def test_the_page_alone_passes_the_vectors(page, case):
    inputs, douts, tensors = read(page, case)
    results = results_of(page, case, inputs, douts)
    assert results.keys() == case["outputs"].keys()
    for name, how in case["outputs"].items():
        truth, spread = tensors[f"truth.{name}"], tensors.get(f"spread.{name}")
        assert list(truth.shape) == how["shape"]
        assert page.is_right(results[name], truth, how["rule"], spread, how.get("cost")), name
        wrong = off_by_a_little(truth.astype(np.float64), how, spread)
        assert not page.is_right(wrong, truth, how["rule"], spread, how.get("cost")), name


def off_by_a_little(truth, how, spread):
    """Return the truth with one element just over what the rule allows."""
    largest = np.abs(truth).argmax()
    if how["rule"] == "rounding":
        allowed = budget.ROUNDING * how["cost"][0] * spread.ravel()[largest]
    else:
        allowed = budget.FLOAT64 * max(1, np.abs(truth).max())
    wrong = truth.ravel().copy()
    wrong[largest] += 1.01 * allowed
    return wrong.reshape(truth.shape)


def test_every_kind_of_the_vectors_is_on_the_page():
    row = re.search(r"^\| `kind` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)[1]
    assert {case["kind"] for case in MANIFEST["cases"]} == set(re.findall(r"`(\w+)`", row))


def test_the_edge_cases_of_the_page_exist():
    part = PAGE.read_text().partition("## 8. ")[2].partition("## 9. ")[0]
    rows = re.findall(r"^\| [^|]+ \|([^|]+)\|", part, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert len(named) > 20
    assert named <= {case["id"] for case in MANIFEST["cases"]}
    assert {name for ids in MANIFEST["edge_cases"].values() for name in ids} <= named


# the mistakes, each put into the reference

PART_10 = PAGE.read_text().partition("## 10. ")[2].partition("Of the other kinds")[0]
TABLE = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PART_10, re.MULTILINE)[2:]
BUGS = (
    *("SignFlipped", "AxesSwapped ColumnsFirst", "StrideOfWidthClamp StrideTooSmall"),
    *("OneRowLateClamp OneRowEarlyClamp", "IndexTransposed"),
    "PrefixRowsSwapped PrefixRowsFirst PrefixTokensLast PrefixWithoutBias",
    "TableTransposed HeadsReversed HeadsShifted FirstHeadForAll",
    *("NoBias BiasSubtracted", "ScaleOnBias", "ScaleTwice NoScale", "OwnScale"),
    *("NoMask MaskOfFirstWindow", "MaskOfWrongWindow", "MaskOfFirstHead"),
    "FirstTileMasked16 FirstTileMasked32",
    "MaskTransposed BiasAfterMask",
    *("SoftmaxOverQueries", "NoMaximum", "NoDelta DeltaWithoutWeights"),
    *("DqWithoutScale DqWithScaleTwice", "DkWithoutScale DkWithScaleTwice", "DvOverQueries"),
    *("DtableWithScale", "DtableOverwritten", "DtableOfLastSample DtableOfFirstSample DtableAveraged"),
    *("DtableSummedOverHeads", "LastKeysLost4", "LastKeysLost8 LastKeysLost32 LastKeysLost64"),
    *("LastKeysLostInDtable4", "LastKeysLostInDtable8 LastKeysLostInDtable64"),
    *("LastQueriesLostInDtable4", "LastQueriesLost4", "PaddingNotMasked4 PaddingNotMasked64"),
)
MISTAKE = {mistake.__name__: mistake for mistake in MISTAKES}


@pytest.fixture(scope="module")
def attention_vectors(page):
    """{id: (tensors, options, outputs, grids of the index)} in float64."""
    grids = {row.id: getattr(row.case.inputs.get("index"), "grids", None) for row in chosen()}
    return {
        case["id"]: (
            page.read_tensors((VECTORS / case["file"]).read_bytes()),
            case["options"],
            case["outputs"],
            grids[case["id"]] and Grids(*grids[case["id"]]),
        )
        for case in MANIFEST["cases"]
        if (case["kind"], case["dtype"]) == ("attention", "float64")
    }


def wrong_results(page, mistake, vectors):
    """Return {id: names of the results that the mistake makes wrong}, without cases that it passes."""
    wrong = {}
    for name, (tensors, options, outputs, grids) in vectors.items():
        inputs = {n.removeprefix("input."): x for n, x in tensors.items() if n.startswith("input.")}
        made = mistake(tensors["cotangent.out"], **inputs, **options, grids=grids)
        for result, how in outputs.items():
            truth = tensors[f"truth.{result}"]
            found = np.broadcast_to(made.result(result), truth.shape)
            if not page.is_right(found, truth, how["rule"]):
                wrong.setdefault(name, set()).add(result)
    return wrong


@pytest.mark.parametrize(
    ("row", "names"), [*zip(TABLE, BUGS, strict=True)], ids=[row[0] for row in TABLE]
)
def test_a_mistake_shows_where_the_page_says(page, attention_vectors, row, names):
    _, results, shown = row
    everything = {"out", "dq", "dk", "dv", "dtable"}
    expected = everything if results == "all" else set(results.split(", "))
    fails, passes = set(), set()
    for part in shown.split("; "):
        if "--full" not in part:
            (passes if part.startswith("not ") else fails).update(re.findall(r"`(attention-\w+)`", part))
    for name in names.split():
        wrong = wrong_results(page, MISTAKE[name], attention_vectors)
        assert set().union(*wrong.values()) == expected, name
        assert fails <= wrong.keys(), name
        assert not passes & wrong.keys(), name
        assert "only" not in shown or fails == wrong.keys(), name


# mistakes in other kinds, put into the page's own code

OTHERS = {
    "windows: the map is rolled before": (
        ("(m * wh + i + sh) % height", "(m * wh + i + sh) % size[0]"),
        ("(n * ww + j + sw) % width", "(n * ww + j + sw) % size[1]"),
    ),
    "windows: the map is rolled down": (("wh + i + sh", "wh + i - sh"), ("ww + j + sw", "ww + j - sw")),
    "windows: a shift along": (("s if p > w else 0", "s"),),
    "resize: `align_corners": (("((2 * i + 1) * n - new) / (2 * new)", "i * (n - 1) / (new - 1)"),),
    "resize: a = ": (("a=-0.75", "a=-0.5"),),
    "resize: no clamping": (("matrix[i, min(max(t, 0), n - 1)] +=", "matrix[i, t % n] +="),),
    "resize: the prefix rows": (("[grid, rows[math", "[grid, 0 * rows[math"),),
    "index: T5's buckets": (
        ("n = 0\n", "n = min(int(math.log(d / m) / math.log(max_distance / m) * m), m - 1)\n"),
        ("while n < m - 1", "while False"),
    ),
}


def shown_by(start):
    """Return the ids in the row of the page's last table that begins with these words."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    (row,) = [shown for mistake, shown in rows if mistake.startswith(start)]
    return set(re.findall(r"`(\w+-[\w-]+)`", row))


@pytest.mark.parametrize("mistake", OTHERS)
def test_a_mistake_in_another_kind_shows_where_the_page_says(page, mistake):
    shown, wrong = shown_by(mistake), defined(*OTHERS[mistake])
    assert shown
    for case in MANIFEST["cases"]:
        if case["id"] in shown and case["dtype"] in ("float64", "int64"):
            inputs, douts, tensors = read(page, case)
            out = results_of(wrong, case, inputs, douts)["out"]
            how, truth = case["outputs"]["out"], tensors["truth.out"]
            assert out is None or not page.is_right(out, truth, how["rule"]), case["id"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtable_summed_in_half_precision_shows(page, dtype):
    (name,) = shown_by("dtable is summed in half")
    (case,) = [c for c in MANIFEST["cases"] if (c["id"], c["dtype"]) == (name, dtype)]
    inputs, (dout,), tensors = read(page, case)
    total = np.zeros(inputs["table"].shape)
    for (i, j), row in np.ndenumerate(inputs["index"]):
        total[row] = budget.rounded(total[row] + dout[:, i, j], dtype)
    truth, how = tensors["truth.dtable"], case["outputs"]["dtable"]
    spread = tensors["spread.dtable"]
    assert not page.is_right(total, truth, how["rule"], spread, how["cost"])
    once = budget.rounded(truth, dtype)
    assert page.is_right(once, truth, how["rule"], spread, how["cost"])


def test_the_table_of_kinds_has_what_the_manifest_has():
    """Every input, option and result of each kind, and no other."""
    part = PAGE.read_text().partition("| kind | inputs |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| ?([^|]*)\| ?([^|]*)\| ?([^|]*)\|$", part, re.MULTILINE)
    found = {}
    for case in MANIFEST["cases"]:
        each = found.setdefault(case["kind"], (set(), set(), set()))
        for names, more in zip(each, ("inputs", "options", "outputs"), strict=True):
            names.update(case[more])
    assert {row[0] for row in rows} == found.keys()
    for kind, *columns in rows:
        given = [set(text.partition(":")[0].replace(" ", "").split(",")) - {""} for text in columns]
        if kind == "index":
            given[1] = found[kind][1]  # the page refers to part 4
        assert given == [*found[kind]], kind
