"""Results made elsewhere are judged by the vectors; bad files are named in one line."""

import json
import shutil

import numpy as np
import pytest

import numpy_ref.ops as ops

from .vectors import judge, make, write
from .vectors.files import packed, write_whole
from .vectors.read import Vectors

VECTORS = Vectors(write.DATA)


def entries(kind, dtype):
    return [e for e in VECTORS.entries if (e["kind"], e["dtype"]) == (kind, dtype)]


def write_results(
    folder, kind="attention", dtype="float32", spoil=lambda results, given: None, npy=False
):
    """Write what the definition gives, in float64; spoil: changes the dict of results."""
    for entry in entries(kind, dtype):
        tensors = VECTORS.tensors(entry)
        given = {n.removeprefix("input."): a for n, a in tensors.items() if n.startswith("input.")}
        out, cache = getattr(ops, f"{kind}_forward")(**given, **entry["options"])
        grads = getattr(ops, f"{kind}_backward")(tensors["cotangent.out"], cache)._asdict()
        results = {"out": out} | {name: a for name, a in grads.items() if a is not None}
        spoil(results, given)
        place = folder / entry["file"]
        if npy:
            place.with_suffix("").mkdir(parents=True)
            for name, a in results.items():
                np.save(place.with_suffix("") / f"result.{name}.npy", a)
        else:
            write_whole(place, packed({f"result.{name}": (a, "F64") for name, a in results.items()}))


def said(folder, capsys):
    """Return (exit code, lines of the report)."""
    code = judge.main([str(folder)])
    return code, capsys.readouterr().out.splitlines()


def flat(lines):
    """Return the report in one line: a long path folds it."""
    return " ".join(line.strip() for line in lines)


@pytest.mark.parametrize("npy", [False, True])
def test_right_results_are_right(tmp_path, capsys, npy):
    write_results(tmp_path, npy=npy)
    code, lines = said(tmp_path, capsys)
    assert code == 0
    assert f"attention in float32 {len(entries('attention', 'float32'))} cases, 0 wrong" in flat(lines)
    assert "not judged, as there are no results: attention" in "\n".join(lines)


def test_a_known_bug_is_named(tmp_path, capsys):
    def without_scale(results, given):
        results["dk"] = results["dk"] * np.sqrt(given["q"].shape[-1])

    write_results(tmp_path, spoil=without_scale)
    for name in (
        "scale",
        "equal_logits",
        "large_logits",
        "logits_of_1e4",
    ):  # these have one of their own
        (tmp_path / "float32" / f"attention-{name}.safetensors").unlink()
    code, lines = said(tmp_path, capsys)
    assert code == 1
    assert "  - dk lacks the scale" in lines


def test_a_kind_without_known_bugs_is_judged_too(tmp_path, capsys):
    write_results(tmp_path, "score_lookup")
    assert said(tmp_path, capsys)[0] == 0
    write_results(tmp_path, "score_lookup", spoil=lambda r, _: r.update(dq=2 * r["dq"]))
    code, lines = said(tmp_path, capsys)
    assert code == 1
    assert "score_lookup in float32 2 cases, 2 wrong" in flat(lines)
    assert "right in all cases: out, dembedding" in lines


def test_an_index_is_judged_entry_by_entry(tmp_path, capsys):
    chosen = [e for e in entries("index", make.WHOLE) if e["scheme"] == "2d"]
    for entry in chosen:
        truth = VECTORS.tensors(entry)["truth.out"]
        write_whole(tmp_path / entry["file"], packed({"result.out": (truth, "I64")}))
    assert said(tmp_path, capsys)[0] == 0
    truth[-1, 0] += 1
    write_whole(tmp_path / entry["file"], packed({"result.out": (truth, "I64")}))
    assert said(tmp_path, capsys)[0] == 1


PLACE = "float32/attention-table.safetensors"


def _without(name):
    return lambda results, given: results.pop(name, None)


def _replaced(name, value):
    return lambda results, given: results.update({name: value})


SPOILT = {
    "a result is not there": (
        _without("dtable"),
        "{place}: result.dtable is not there, expected one of shape (11, 3)",
    ),
    "a shape": (
        _replaced("dtable", np.zeros((3, 11))),
        "{place}: result.dtable has shape (3, 11), expected (11, 3)",
    ),
    "a name too many": (_replaced("dx", np.zeros(1)), "{place}: result.dx is no result of the case"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_bad_result_is_named(tmp_path, capsys, name):
    spoil, line = SPOILT[name]
    write_results(tmp_path, spoil=spoil)
    code, lines = said(tmp_path, capsys)
    assert code == 1
    assert line.format(place=tmp_path / PLACE) in lines


def test_nan_is_wrong(tmp_path, capsys):
    write_results(tmp_path, npy=True, spoil=lambda r, _: r["out"].__setitem__((0, 0, 0, 0), np.nan))
    assert said(tmp_path, capsys)[0] == 1


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, (8).to_bytes(8, "little") + b"{}      " + b"x"])
def test_a_file_that_is_no_safetensors_is_named(tmp_path, capsys, content):
    write_results(tmp_path)
    (tmp_path / PLACE).write_bytes(content)
    code, lines = said(tmp_path, capsys)
    assert code == 1
    assert any(line.startswith(f"{tmp_path / PLACE}: ") for line in lines)


def test_a_pickle_is_not_loaded(tmp_path, capsys):
    place = tmp_path / PLACE.removesuffix(".safetensors")
    place.mkdir(parents=True)
    np.save(place / "result.out.npy", np.array([{}]), allow_pickle=True)
    code, lines = said(tmp_path, capsys)
    assert code == 1
    assert any("result.out.npy: is no array" in line for line in lines)


def test_a_folder_without_results_is_an_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        judge.main([str(tmp_path)])
    assert "has no results; float64/" in capsys.readouterr().err


# the vectors themselves


@pytest.fixture
def copy(tmp_path):
    """Return a folder with one case in one precision."""
    entry = entries("attention", "float32")[0]
    manifest = VECTORS.manifest | {"cases": [entry]}
    write_whole(tmp_path / "manifest.json", json.dumps(manifest).encode())
    (tmp_path / "float32").mkdir()
    shutil.copy(write.DATA / entry["file"], tmp_path / entry["file"])
    return tmp_path


def test_a_changed_byte_is_noticed(copy):
    (entry,) = Vectors(copy).entries
    path = copy / entry["file"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path}: sha256 is [0-9a-f]+, expected {entry['sha256']}"):
        Vectors(copy).tensors(entry)


def test_a_missing_file_is_noticed(copy):
    (entry,) = Vectors(copy).entries
    (copy / entry["file"]).unlink()
    with pytest.raises(ValueError, match=rf"{entry['file']}: cannot be read"):
        Vectors(copy).tensors(entry)


MANIFESTS = {
    "no JSON": ("{", "is no manifest of vectors"),
    "a list": ("[]", "is no manifest of vectors"),
    "no cases": ('{"format": 1}', "is no manifest of vectors"),
    "another format": ('{"format": 2, "cases": []}', "format is 2, expected 1"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_bad_manifest_is_named(copy, name):
    text, message = MANIFESTS[name]
    (copy / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Vectors(copy)
