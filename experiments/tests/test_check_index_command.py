"""`python -m experiments.check_index`: exit codes, the report, one line for a file that is no index."""

import numpy as np
import pytest
from small_runs import refused

from experiments.check_index import main
from numpy_ref import RelativePositionBias
from parity_tests.check_index import check_index

INDEX = RelativePositionBias(2, (3, 5)).index
BEIT = RelativePositionBias(2, (3, 5), num_prefix_tokens=1).index


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves an array and returns the arguments of the command."""

    def save(array, *more):
        np.save(tmp_path / "index.npy", array)
        return [str(tmp_path / "index.npy"), "--window-size", "3", "5", *more]

    return save


@pytest.mark.parametrize(
    ("index", "more", "code"),
    [
        (INDEX, [], 0),
        (INDEX.ravel(), [], 0),
        (BEIT, ["--prefix-tokens", "1"], 0),
        (INDEX.T, ["--convention", "maxvit"], 0),
        (INDEX.T, [], 1),
        (BEIT, [], 1),
        (np.zeros((0, 0), int), [], 1),
        (INDEX / 2, [], 1),
    ],
)
def test_the_report_is_printed_and_the_exit_code_says_whether_it_is_right(
    saved, index, more, code, capsys
):
    assert main(saved(index, *more)) == code
    prefix = int("--prefix-tokens" in more)
    convention = "maxvit" if "maxvit" in more else "swin"
    printed = capsys.readouterr()
    assert printed.out == f"{check_index(index, (3, 5), prefix, convention)}\n"
    assert printed.err == ""


def test_the_permutation_is_written(saved, tmp_path, capsys):
    path = tmp_path / "permutation.npy"
    assert main(saved(INDEX.T, "--permutation", str(path))) == 1
    np.testing.assert_array_equal(np.load(path)[INDEX], INDEX.T)
    path.unlink()
    for index, convention, found in [
        (INDEX + 1, "swin", "there is none"),
        (np.stack([INDEX // 9, INDEX % 9]), "decomposed", "there is 2, one per axis"),
    ]:
        arguments = saved(index, "--permutation", str(path), "--convention", convention)
        with pytest.raises(SystemExit):
            main(arguments)
        assert found in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["index.npy"]


FILES = {
    "text": (b"0 1\n1 0\n", "is no .npy file: it begins with b'0 1"),
    "empty": (b"", "is no .npy file"),
    "archive": (b"PK\x03\x04...", "is no .npy file"),
    "header": (lambda whole: whole[:20], "damaged"),
    "cut": (lambda whole: whole[:-1], "damaged"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_array_is_one_line(saved, kind, tmp_path, capsys):
    content, message = FILES[kind]
    arguments = saved(INDEX)
    path = tmp_path / "index.npy"
    path.write_bytes(content if isinstance(content, bytes) else content(path.read_bytes()))
    line = refused(capsys, main, arguments)
    assert f"{path}" in line
    assert message in line


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self):
        return pytest.fail, ("the file was unpickled",)


def test_pickled_objects_are_refused(saved, capsys):
    line = refused(capsys, main, saved(np.array([Trap()], object)))
    assert "holds pickled objects, expected integers" in line


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--window-size", "3", "0"], "window_size is 0"),
        (["--prefix-tokens", "-1"], "num_prefix_tokens is -1"),
        (["--convention", "t5"], "expected one axis"),
        (["--convention", "timm"], "timm"),
    ],
)
def test_bad_options_are_one_line(saved, more, message, capsys):
    assert message in refused(capsys, main, saved(INDEX, *more))


def test_a_missing_file_and_a_folder_are_one_line(tmp_path, capsys):
    for path in (tmp_path / "none.npy", tmp_path):
        assert str(path) in refused(capsys, main, [str(path), "--window-size", "3", "5"])
