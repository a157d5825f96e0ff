"""The JavaScript in examples/conformance/js passes the golden vectors, and finds bugs and damage."""

import hashlib
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "conformance" / "js"
VECTORS = Path(__file__).parent / "vectors" / "data"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
CASE = "float32/attention-table.safetensors"


def node_version():
    """The first number of `node --version`, 0 without node."""
    if shutil.which("node") is None:
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    return int(re.findall(r"\d+", said)[0])


pytestmark = pytest.mark.skipif(node_version() < 18, reason="node 18 or newer is not on the PATH")

# name: (file, what is there, the bug, the kinds that are wrong)
BUGS = {
    "offset's sign": ("schemes.js", "query[axis] - key[axis] +", "key[axis] - query[axis] +", "index"),
    "causal": ("schemes.js", "[causal ? rows + 1 : rows, rows, rows]", "[rows, rows, rows]", "index"),
    "buckets after the query": ("buckets.js", "offset < 0 ? side : 0", "offset > 0 ? side : 0", "index"),
    "last bucket of iRPE": ("buckets.js", "while (n < last &&", "while (n < last - 1 &&", "index"),
    "scale on the bias": ("attention.js", "s[j] += row(table", "s[j] += scale * row(table", "attention"),
    "no maximum": ("attention.js", "Math.exp(score - largest)", "Math.exp(score)", "attention"),
    "sign in the softmax": ("attention.js", "(dp[j] - mean)", "(dp[j] + mean)", "attention"),
    "first mask": ("attention.js", "(i % shape[axis])", "(axis && i % shape[axis])", "attention"),
    "overwritten dtable": ("attention.js", "[h] += ds;", "[h] = ds;", "attention"),
    "overwritten rows": ("bias.js", "[h] += row(dbias", "[h] = row(dbias", "bias"),
    "sign of dq": ("bias.js", "i), dscore, vector", "i), -dscore, vector", "score_lookup"),
    "first query": ("bias.js", "dot(row(dout, b, h, i)", "dot(row(dout, b, h, 0)", "value_lookup"),
    "gradient of the clamp": ("cosine.js", "> LARGEST) continue", "> 100) continue", "cosine"),
    "no roll": ("windows.js", "(i + cut.shift[axis])", "i", "windows reverse"),
    "border of the mask": ("windows.js", "i >= cut.padded", "i > cut.padded", "shift"),
    "a = -0.5": ("resize.js", "a = -0.75", "a = -0.5", "resize"),
    "no prefix rows": ("resize.js", "data.set(rows.data.subarray(split), grid.length);", "", "resize"),
    "NaN": ("kinds.js", "return { out, ...", "out.data[0] = NaN; return { out, ...", "attention"),
    "shape": ("kinds.js", "shiftMask(given) }", "{ ...shiftMask(given), shape: [1] } }", "shift"),
    "no gradient": ("cosine.js", "{ dq, dk, dlogit_scale }", "{ dq, dlogit_scale }", "cosine"),
}  # fmt: skip


def run(folder=SOURCE, vectors=VECTORS):
    return subprocess.run(["node", folder / "main.js", vectors], capture_output=True, text=True)


def test_every_case_is_right():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    ran = {(row[0], row[1]): int(row[2]) for row in rows if row[3] == "cases"}
    assert ran == Counter((case["kind"], case["dtype"]) for case in MANIFEST["cases"])


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(tmp_path, bug):
    name, right, wrong, kinds = BUGS[bug]
    folder = shutil.copytree(SOURCE, tmp_path / "js")
    text = (folder / name).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (folder / name).write_text(text.replace(right, wrong), encoding="utf-8")
    done = run(folder)
    assert done.returncode == 1
    lines = [line.split() for line in done.stdout.splitlines() if " WRONG " in line]
    assert {line[0] for line in lines} == set(kinds.split())


@pytest.fixture
def vectors(tmp_path):
    """A function that writes a case of each kind, `CASE` among them with other bytes or entries."""

    def write(content, **changes):
        cases = {case["kind"]: case for case in MANIFEST["cases"]}
        entry = next(case for case in MANIFEST["cases"] if case["file"] == CASE)
        cases["attention"] = entry | {"sha256": hashlib.sha256(content).hexdigest()} | changes
        for case in cases.values():
            (tmp_path / case["file"]).parent.mkdir(exist_ok=True)
            shutil.copy(VECTORS / case["file"], tmp_path / case["file"])
        (tmp_path / CASE).write_bytes(content)
        (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST | {"cases": list(cases.values())}))
        return tmp_path

    return write


def says(done, *names):
    """Fail unless the run ended with 1 and one line on stderr that has these names."""
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert all(name in done.stderr for name in names), done.stderr


def split(content):
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def joined(header, data):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


# name: (what is left of the content, what the line says)
DAMAGES = {
    "empty": (lambda content: b"", "header"),
    "cut off": (lambda content: content[:-1], "beyond the end"),
    "cut off in the header": (lambda content: content[:100], "header"),
    "no JSON": (lambda content: content.replace(b"{", b"[", 1), "JSON"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(vectors, damage):
    content = (VECTORS / CASE).read_bytes()
    assert run(vectors=vectors(content)).returncode == 0
    change, words = DAMAGES[damage]
    says(run(vectors=vectors(change(content))), CASE, words)


HEADERS = {
    "a larger shape": ("input.table", {"shape": [12, 3]}),
    "another shape": ("input.table", {"shape": [3, 11]}),
    "dtype": ("truth.dv", {"dtype": "I8"}),
    "offsets": ("input.q", {"data_offsets": [8, 4]}),
    "no offsets": ("input.q", {"data_offsets": None}),
    "no shape": ("input.q", {"shape": None}),
    "missing": ("truth.dv", None),
    "no cotangent": ("cotangent.out", None),
}


@pytest.mark.parametrize("damage", HEADERS)
def test_a_damaged_tensor_is_named(vectors, damage):
    header, data = split((VECTORS / CASE).read_bytes())
    name, change = HEADERS[damage]
    entry = header.pop(name)
    if change is not None:
        header[name] = entry | change
    says(run(vectors=vectors(joined(header, data))), CASE, f"{name}: ")


MANIFESTS = {
    "checksum": ({"sha256": "0" * 64}, "checksum"),
    "option": ({"options": {"causal": True}}, "causal"),
    "rule": ({"outputs": {"out": {"shape": [2, 3, 6, 8], "rule": "loose"}}}, "loose"),
    "shape": ({"outputs": {"out": {"shape": [2, 3, 8, 6], "rule": "float64"}}}, "truth.out"),
    "no case of a kind": ({"kind": "other"}, "no case of attention"),
}


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_manifest_that_it_does_not_understand_is_an_error(vectors, change):
    changes, words = MANIFESTS[change]
    says(run(vectors=vectors((VECTORS / CASE).read_bytes(), **changes)), words)


def test_each_measure_of_the_rounding_rule_counts():
    """The page's example, and one for each measure; 1e-7 and 2e-7 are the spreads."""
    program = f"""
import {{ share }} from "{(SOURCE / "judge.js").as_uri()}";
const array = (data) => ({{ shape: [2], data: Float64Array.from(data) }});
const judged = (errors, cost) => share(array([1 + errors[0], -2 + errors[1]]), array([1, -2]),
  array([1e-7, 2e-7]), {{ shape: [2], rule: "rounding", cost }}, {{ rounding: 3 }});
console.log([judged([5e-7, 0], [2, 1, 1e-7]), judged([2e-7, -4e-7], [2, 1, 1e-7]),
  judged([4e-7, -8e-7], [2, 1, 1e-7]), judged([3.9e-7, 0], [1, 9, 9]), judged([3.9e-7, 0], [9, 1, 9]),
  judged([3.9e-7, 7.8e-7], [9, 1, 9])].map((x) => x <= 1).join());
"""
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "false,true,false,false,true,false"
