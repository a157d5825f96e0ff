"""The committed golden vectors: bits, edge cases, schema, and the results of both twins beside them."""

import json
from dataclasses import replace

import numpy as np
import pytest

import numpy_ref

from . import budget
from .run import Given, run_numpy
from .vectors import cases, files, make, write
from .vectors.about import ABOUT
from .vectors.draws import Draws
from .vectors.judge import question_of
from .vectors.read import Vectors

VECTORS = Vectors(write.DATA)
ENTRIES = {(entry["id"], entry["dtype"]): entry for entry in VECTORS.entries}
ROWS = {row.id: row for row in cases.chosen()}
PINNED = {
    "normal": [-0.46651233830952066, 0.12886555916303521],
    "integers": [783, 644, 919, 604],
    "random": [0.33682430776040784],
}
FLOATS = [key for key in ENTRIES if key[1] != make.WHOLE]


def test_the_committed_files_are_what_is_made_now():
    assert list(write.differences(write.DATA)) == []


FULL = [row for row in cases.chosen(True) if row.kind in cases.WHOLE_TABLE and cases.is_small(row)]


@pytest.mark.parametrize("kind", cases.WHOLE_TABLE)
def test_the_full_set_has_schemes_layers_and_the_other_ops(kind, tmp_path, monkeypatch, schema):
    rows = [row for row in FULL if row.kind == kind][::25]
    monkeypatch.setattr(write, "chosen", lambda full=False: rows)
    write.write(tmp_path, full=True)
    written = Vectors(tmp_path)
    schema.validate(written.manifest)
    for entry in written.entries:
        tensors = written.tensors(entry)
        named = {name: tensors[f"truth.{name}"] for name in entry["outputs"]}
        assert {name: [*a.shape] for name, a in named.items()} == {
            name: output["shape"] for name, output in entry["outputs"].items()
        }
        assert all(f"input.{name}" in tensors for name in entry["inputs"])


def test_every_committed_case_says_what_is_special():
    for row in ROWS.values():
        assert row.kind == "index" or row.id in ABOUT, row.id
    assert not {*ABOUT} - {*ROWS}


def test_the_set_is_small():
    sizes = [path.stat().st_size for path in write.DATA.rglob("*") if path.is_file()]
    assert sum(sizes) < 6e6


# the schema


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    found = json.loads((write.DATA / write.SCHEMA).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_manifest_fits_its_schema(schema):
    schema.validate(VECTORS.manifest)


def _case(**changed):
    return VECTORS.manifest | {"cases": [next(iter(VECTORS.entries)) | changed]}


WRONG = {
    "format": VECTORS.manifest | {"format": 2},
    "rule": _case(outputs={"out": {"shape": [1], "rule": "near"}}),
    "no cost": _case(outputs={"out": {"shape": [1], "rule": "rounding"}}),
    "a cost too many": _case(outputs={"out": {"shape": [1], "rule": "exact", "cost": [1, 1, 1]}}),
    "path": _case(file="../outside.safetensors"),
    "unknown field": _case(more=1),
    "id": _case(id="Attention"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_refuses(schema, name):
    assert not schema.is_valid(WRONG[name])


# the results


@pytest.mark.parametrize("implementation", ["numpy", "numba"])
def test_both_implementations_in_float64_agree_with_the_vectors(implementation):
    for entry in _of("float64"):
        _judge(entry, implementation)


def test_the_kernels_in_float32_are_within_the_vectors_tolerance():
    for entry in _of("float32"):
        _judge(entry, "numba")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_torch_twin_in_half_precision_is_within_the_vectors_tolerance(dtype):
    run_torch = pytest.importorskip("parity_tests.run_torch").run_torch
    for entry in _of(dtype):
        _judge(entry, None, run_torch)


def test_what_the_vectors_tolerate_is_not_more_than_parity_does():
    """A truth that is off by one part in 2^20 is too far for float32."""
    for entry in _of("float32"):
        question = question_of(entry, VECTORS.tensors(entry))
        name = next((n for n in question.costs if np.abs(question.truth[n]).max() > 1e-3), None)
        if name:
            off = question.truth[name] * (1 + 2.0**-17)
            assert not budget.row(name, question.truth[name], off, question.costs[name]).ok, entry["id"]


def _of(dtype):
    return [ENTRIES[key] for key in FLOATS if key[1] == dtype]


def _given(entry):
    """Return the inputs of a case as they are in its file."""
    tensors = VECTORS.tensors(entry)
    inputs = {n.removeprefix("input."): a for n, a in tensors.items() if n.startswith("input.")}
    return Given(ROWS[entry["id"]].case, entry["dtype"], inputs, {}, make.draws_of(ROWS[entry["id"]]))


def _judge(entry, implementation, run=None):
    given = _given(entry)
    results = run(given) if run else run_numpy(given, implementation=implementation)
    question = question_of(entry, VECTORS.tensors(entry))
    assert results.keys() == question.truth.keys()
    for name, truth in question.truth.items():
        row = budget.row(name, truth, results[name], question.costs.get(name), name in question.moved)
        assert row.ok, (entry["id"], row)


def test_an_index_and_a_mask_are_those_of_the_twins():
    for entry in _of(make.WHOLE):
        truth = VECTORS.tensors(entry)["truth.out"]
        assert truth.dtype == np.int64
        if entry["kind"] == "shift":
            options = {name: tuple(value) for name, value in entry["options"].items()}
            np.testing.assert_array_equal(numpy_ref.ops.window_mask(**options), truth)
        else:
            np.testing.assert_array_equal(cases.index_of(ROWS[entry["id"]].case), truth)


# the edge cases


def _inputs(case_id, dtype="float32"):
    tensors = VECTORS.tensors(ENTRIES[case_id, dtype])
    return {n.removeprefix("input."): a for n, a in tensors.items() if n.startswith("input.")}


def _scores(case_id):
    given, options = _inputs(case_id), ENTRIES[case_id, "float32"]["options"]
    scale = options.get("scale", given["q"].shape[-1] ** -0.5)
    bias = given["table"][given["index"]].transpose(2, 0, 1) if "table" in given else 0.0
    return scale * given["q"] @ given["k"].swapaxes(-1, -2) + bias + given.get("mask", 0.0)


def _grids(case_id):
    return ROWS[case_id].case.inputs["index"].grids


def _lengths(case_id):
    """Return the numbers of queries and keys of an index."""
    key = (case_id, make.WHOLE) if (case_id, make.WHOLE) in ENTRIES else (case_id, "float32")
    tensors = VECTORS.tensors(ENTRIES[key])
    return tensors.get("input.index", tensors.get("truth.out")).shape[-2:]


def _is_denormal(case_id):
    for dtype, normal in (("float32", 2.0**-126), ("float16", 2.0**-14), ("bfloat16", 2.0**-126)):
        small = [a for a in _inputs(case_id, dtype).values() if 0 < np.abs(a).max() < normal]
        if not small:
            return False
    return True


IS = {
    "one token": lambda name: _lengths(name) == (1, 1),
    "a grid that is not square": lambda name: (
        len({*ENTRIES[name, "float32"]["inputs"]["x"]["shape"][1:3]}) == 2
        if name.startswith("windows")
        else _lengths(name)[0] != 4 and "3" in name
    ),
    "prefix tokens": lambda name: (
        "num_prefix_tokens" in ENTRIES[name, make.WHOLE]["options"]
        if name.startswith("index")
        else "index" in _inputs(name)
    ),
    "fewer queries than keys": lambda name: _lengths(name)[0] < _lengths(name)[1],
    "a fully masked row": lambda name: (_inputs(name)["mask"] == -100).all(-1).any(),
    "a mask of −∞": lambda name: (_inputs(name)["mask"] == -np.inf).any(),
    "logits of ±1e4": lambda name: _scores(name).max() > 1e4 and _scores(name).min() < -1e4,
    "equal logits": lambda name: np.ptp(_scores(name)) == 0,
    "denormal numbers": _is_denormal,
    "duplicates in the index": lambda name: len(np.unique(_inputs(name)["index"])) == 1,
    "an odd number of heads": lambda name: _inputs(name)["q"].shape[1] == 5,
    "a head size that is no power of two": lambda name: _inputs(name)["q"].shape[3] in (11, 12),
}


@pytest.mark.parametrize("edge", cases.EDGES)
def test_the_edge_cases_are_what_they_are_said_to_be(edge):
    assert VECTORS.manifest["edge_cases"][edge] == [*cases.EDGES[edge]]
    for case_id in cases.EDGES[edge]:
        assert IS[edge](case_id), case_id


# the files


def test_the_library_reads_the_same_numbers():
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        entry = ENTRIES["attention-table", dtype]
        content = (write.DATA / entry["file"]).read_bytes()
        theirs, ours = library.load(content), VECTORS.tensors(entry)
        assert theirs.keys() == ours.keys()
        for name, a in theirs.items():
            np.testing.assert_array_equal(a.to(torch.float64).numpy(), ours[name])
        assert theirs["input.q"].dtype == getattr(torch, dtype)
        assert {**entry["inputs"]["q"]} == {"shape": [2, 3, 6, 8], "dtype": files.STORED[dtype]}


def test_a_dtype_that_cannot_hold_a_value_is_refused():
    with pytest.raises(ValueError, match="BF16 cannot hold"):
        files.packed({"x": (np.array([1 + 2.0**-12]), "BF16")})


def test_the_draws_are_the_stream_of_shake_256():
    """Pinned: NumPy may change its generators' numbers; these must not move."""
    draws = Draws("a text")
    assert draws.standard_normal((2,)).tolist() == PINNED["normal"]
    assert draws.integers(0, 1000, (4,)).tolist() == PINNED["integers"]
    assert draws.random((1,)).tolist() == PINNED["random"]


def test_the_draws_are_nearly_normal_and_fill_all_digits():
    x = Draws("normal").standard_normal((100_000,))
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.01
    assert 0.0010 < (np.abs(x) > 3).mean() < 0.0035  # 0.0027 for normal numbers
    assert np.mean(x.astype(np.float32) == x) < 0.01  # or float32 would pass for float64


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "file"
    files.write_whole(path, b"old")
    monkeypatch.setattr(files.os, "fsync", _fail)
    with pytest.raises(OSError):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def _fail(descriptor):
    raise OSError("disk full")


def test_a_renamed_case_leaves_no_file_behind(tmp_path, monkeypatch):
    row = ROWS["bias-one_token"]
    monkeypatch.setattr(write, "chosen", lambda full=False: [row])
    write.write(tmp_path)
    renamed = row._replace(case=replace(row.case, variant="renamed"))
    monkeypatch.setattr(write, "chosen", lambda full=False: [renamed])
    assert (
        len(list(write.differences(tmp_path))) == 9
    )  # four files not there, four too many, the manifest
    write.write(tmp_path)
    assert {path.stem for path in tmp_path.glob("*/*")} == {"bias-renamed"}
