"""The C program in examples/conformance/c passes the golden vectors, and finds bugs and damage."""

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "examples" / "conformance" / "c"
VECTORS = Path(__file__).parent / "vectors" / "data"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
CASE = "float32/attention-table.safetensors"

missing = [tool for tool in ("cc", "make") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not on the PATH: {missing}")

OFFSET, TURNED = "query[axis] - key[axis] + size", "key[axis] - query[axis] + size"

# name: (file, what is there, the bug, the kinds that are wrong)
BUGS = {
    "offset's sign": ("index.c", OFFSET, TURNED, "index"),
    "last bucket": ("index.c", "n < m - 1 && at_least", "n < m - 2 && at_least", "index"),
    "wrong shape": ("index.c", "+ call->stride - 1) / call->stride", ") / call->stride", "index"),
    "scale on the bias": ("attention.c", "+= a->table[", "+= a->scale * a->table[", "attention"),
    "no maximum": ("attention.c", "exp(s[j] - largest)", "exp(s[j])", "attention"),
    "no delta": ("attention.c", "(dp - delta)", "dp", "attention"),
    "first window's mask": ("attention.c", "b % a->windows *", "0 *", "attention"),
    "overwritten dtable": ("attention.c", "+ h] += ds;", "+ h] = ds;", "attention"),
    "overwritten rows": ("bias.c", "+ h] += dout[", "+ h] = dout[", "bias"),
    "sign of dq": ("lookup.c", "] += d * l->embedding", "] -= d * l->embedding", "score_lookup"),
    "sign of dp": ("lookup.c", "] += dout_i[c] *", "] -= dout_i[c] *", "value_lookup"),
    "gradient of the clamp": ("cosine.c", "<= log((REAL)100)", "<= 100", "cosine"),
    "no roll": ("windows.c", "+ w->shift[0])", ")", "windows reverse"),
    "border of the mask": ("windows.c", ">= w->padded", "> w->padded", "shift"),
    "a = -0.5": ("resize.c", "a = -0.75", "a = -0.5", "resize"),
}  # fmt: skip


def build(folder):
    subprocess.run(["make"], cwd=folder, check=True, capture_output=True)


def run(folder, vectors=VECTORS):
    return subprocess.run([folder / "conformance", vectors], capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the sources, copied and built."""
    folder = tmp_path_factory.mktemp("c") / "c"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("*.o", "conformance"))
    build(folder)
    return folder


def test_every_case_is_right(built):
    done = run(built)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    ran = {(row[0], row[1]): int(row[2]) for row in rows if "cases" in row}
    assert ran == Counter((case["kind"], case["dtype"]) for case in MANIFEST["cases"])
    assert rows[-1] == [str(len(MANIFEST["cases"])), "cases,", "0", "wrong"]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(built, tmp_path, bug):
    name, right, wrong, kinds = BUGS[bug]
    folder = shutil.copytree(built, tmp_path / "c")  # with the times of the files: make builds one anew
    text = (folder / name).read_text()
    assert text.count(right) == 1
    (folder / name).write_text(text.replace(right, wrong))
    build(folder)
    done = run(folder)
    assert done.returncode == 1
    lines = [line.split() for line in done.stdout.splitlines() if line.endswith("WRONG")]
    assert {line[0] for line in lines} == set(kinds.split())


@pytest.fixture
def small_vectors(tmp_path):
    """Return a file's content, and `write`, which writes it beside a case of each other kind."""
    entry = next(case for case in MANIFEST["cases"] if case["file"] == CASE)
    content = (VECTORS / CASE).read_bytes()
    others = {case["kind"]: case for case in MANIFEST["cases"] if case["kind"] != "attention"}
    for case in (entry, *others.values()):
        (tmp_path / case["file"]).parent.mkdir(exist_ok=True)
        shutil.copy(VECTORS / case["file"], tmp_path / case["file"])

    def write(content=content, **changes):
        (tmp_path / CASE).write_bytes(content)
        changes = {"sha256": hashlib.sha256(content).hexdigest(), **changes}
        (tmp_path / "manifest.json").write_text(
            json.dumps(MANIFEST | {"cases": [entry | changes, *others.values()]})
        )
        return tmp_path

    return content, write


def check_one_line_names(done, *names):
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert all(name in done.stderr for name in names), done.stderr


# name: (what is left of the content, what the line says)
DAMAGES = {
    "empty": (lambda content: b"", "damaged"),
    "cut off": (lambda content: content[:-1], "tensor "),
    "cut off in the header": (lambda content: content[:100], "damaged"),
    "no JSON": (lambda content: content.replace(b"{", b"[", 1), "JSON"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(built, small_vectors, damage):
    content, write = small_vectors
    assert run(built, write()).returncode == 0
    change, says = DAMAGES[damage]
    check_one_line_names(run(built, write(change(content))), CASE, says)


HEADERS = {
    "a larger shape": ("input.table", {"shape": [12, 3]}),
    "another shape": ("input.table", {"shape": [3, 11]}),
    "dtype": ("truth.dv", {"dtype": "I8"}),
    "offsets": ("input.q", {"data_offsets": [8, 4]}),
    "missing": ("truth.dv", None),
}


@pytest.mark.parametrize("damage", HEADERS)
def test_a_damaged_header_is_one_line_with_the_tensor(built, small_vectors, damage):
    content, write = small_vectors
    name, change = HEADERS[damage]
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if change is None:
        del header[name]
    else:
        header[name].update(change)
    text = json.dumps(header).encode()
    done = run(built, write(len(text).to_bytes(8, "little") + text + content[end:]))
    check_one_line_names(done, CASE, f"tensor {name}")


MANIFESTS = {
    "checksum": ({"sha256": "0" * 64}, "checksum"),
    "option": ({"options": {"causal": True}}, "causal"),
    "rule": ({"outputs": {"out": {"shape": [2, 3, 6, 8], "rule": "loose"}}}, "loose"),
    "shape": ({"outputs": {"out": {"shape": [2, 3, 8, 6], "rule": "float64"}}}, "truth.out"),
    "no case of a kind": ({"kind": "other"}, "no case of the kind attention"),
}


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_manifest_that_it_does_not_understand_is_an_error(built, small_vectors, change):
    changes, says = MANIFESTS[change]
    done = run(built, small_vectors[1](**changes))
    assert done.returncode == 1
    assert says in done.stderr
