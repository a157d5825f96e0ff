"""The command `rpb-check`: its arguments, what it prints and writes, and its exit codes."""

import io
import json
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from .check import command
from .check.__main__ import main
from .check.kinds import KINDS
from .check.progress import bar
from .process import LONG, ROOT, python

KERNELS = "parity_tests.kernels_to_check"


@pytest.fixture
def kernel_file(tmp_path):
    """Return a function that writes a module and returns its path with ":attention"."""

    def write(text):
        (tmp_path / "mine.py").write_text(text)
        return f"{tmp_path / 'mine.py'}:attention"

    return write


def test_without_a_kernel_the_kinds_are_listed(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    for kind in KINDS.values():
        assert f"\n{kind.name}(" in shown
        assert all(meaning.split()[0] in shown for meaning in kind.arguments.values())
    for word in ("float16", "bfloat16", "jax", "mlx", "--template", "--list", "_backward"):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_each_case_of_a_kind_is_listed_with_its_shapes(capsys):
    for kind in KINDS.values():
        assert main(["--list", "--kind", kind.name]) == 0
        shown = capsys.readouterr().out
        for case in kind.of_scheme(None).fitting(tuple(kind.arguments)):
            assert re.search(rf"^[ *] (\w+-)?{re.escape(case.variant)} ", shown, re.M), case.id
        assert max(map(len, shown.splitlines())) <= 100
    main(["--list"])
    assert "* swin_256_windows " in (shown := capsys.readouterr().out)
    assert "  cross " in shown
    assert "q 2×6×5×4, k 2×6×7×4, v 2×6×7×3, table 4×6, index 5×7" in shown


def test_cases_are_chosen_by_name(capsys):
    assert main([f"{KERNELS}:attention", "--case", "*l*_logits", "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert "2 cases, 0 wrong" in shown
    assert re.findall(r"^(\w+) +out ", shown, re.M) == ["equal_logits", "large_logits"]
    assert main([f"{KERNELS}:attention", "--case", "op-attention-table"]) == 0


def test_the_worst_element_has_its_position_and_offset(capsys, kernel_file):
    changes = "\n    out[1, 2, 30, 5] += 1"
    target = kernel_file(
        "from parity_tests.kernels_to_check import attention as right, attention_backward as grads\n"
        "def attention(q, k, v, table, index):\n    out, cache = right(q, k, v, table, index)"
        f"{changes}\n    return out, cache\n"
        "def attention_backward(dout, cache):\n    found = grads(dout, cache)\n"
        "    found['dtable'][7 * 13 + 3, 1] += 50\n    found['dtable'][170, 2] += 1\n"
        "    found['dk'][0, 1, 0, 3] += 1\n    return found\n"
    )
    assert main([target, "--case", "beit_7x7"]) == 1
    shown = capsys.readouterr().out
    assert "batch 1, head 2, query 30 (4, 1), channel 5" in shown  # token 0 is the prefix
    assert "row 94 (offset (1, −3)), head 1" in shown
    assert "batch 0, head 1, key 0 (prefix), channel 3" in shown
    assert "right in all cases: dq, dv" in shown
    assert "beit_7x7: batch 1" in shown


WRONG = """
from parity_tests.kernels_to_check import attention, unscaled_dk_backward as attention_backward
def fail(q, k, v):
    raise RuntimeError("a \\x00 \\x1b[31m <b> & ]]> é")
"""


def test_json_has_every_tensor_and_a_format_number(kernel_file, tmp_path):
    file = tmp_path / "verdict.json"
    assert main([kernel_file(WRONG), "--case", "plain", "--json", str(file)]) == 1
    verdict = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert verdict["format"] == 1
    assert (verdict["ok"], verdict["cases"], verdict["wrong_cases"]) == (
        False,
        1,
        ["op-attention-plain"],
    )
    found = {tensor["tensor"]: tensor for tensor in verdict["tensors"]}
    assert [name for name in found if not found[name]["ok"]] == ["dk"]
    assert len(found["dk"]["worst_element"]) == 4
    assert found["dk"]["where"].startswith("batch ")
    assert found["dk"]["got"] != found["dk"]["expected"]
    assert verdict["diagnoses"][0]["bugs"] == ["dk lacks the scale"]
    assert [path.name for path in tmp_path.glob("verdict*")] == ["verdict.json"]


def test_numbers_that_json_does_not_have_are_null(kernel_file, tmp_path):
    file = tmp_path / "verdict.json"
    assert main([kernel_file("def attention(q, k, v): return q * float('nan')"), "--case", "plain",
                 "--json", str(file)]) == 1  # fmt: skip
    (tensor,) = json.loads(file.read_text(), parse_constant=pytest.fail)["tensors"]
    assert (tensor["error"], tensor["got"]) == (None, None)
    assert tensor["problem"] == "288 of 288 elements are NaN or infinite"


def test_junit_is_what_its_readers_accept(kernel_file, tmp_path):
    """Counts that agree, unique names, no character that XML lacks, and the order that Jenkins' has."""
    file = tmp_path / "verdict.xml"
    target = kernel_file(WRONG)
    assert main([target, "--case", "*t*_logits", "--junit", str(file)]) == 1
    suites = ElementTree.parse(file).getroot()
    assert suites.tag == "testsuites"
    (suite,) = suites
    tests = suite.findall("testcase")
    assert [child.tag for child in suite] == ["testcase"] * len(tests) + ["system-out"]
    failures, errors = (suite.findall(f"testcase/{tag}") for tag in ("failure", "error"))
    for element in (suites, suite):
        counts = [int(element.get(name)) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == [len(tests), len(failures), len(errors), 0]
        assert float(element.get("time")) >= 0
    assert all(test.get("classname") == target and float(test.get("time")) >= 0 for test in tests)
    assert len({test.get("name") for test in tests}) == len(tests)
    assert all(element.get("message") and element.get("type") for element in failures)
    assert "dk lacks the scale" in suite.findtext("system-out")
    assert main([target.replace("attention", "fail"), "--case", "plain", "--junit", str(file)]) == 1
    error = ElementTree.parse(file).find("testsuite/testcase/error")
    assert error.get("type") == "RuntimeError"
    assert error.get("message") == "RuntimeError: a ? ?[31m <b> & ]]> é"


def test_a_file_that_cannot_be_written_is_left_as_it_was(tmp_path, monkeypatch, capsys):
    file = tmp_path / "verdict.json"
    file.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SystemExit) as exit_code:
        main([f"{KERNELS}:attention", "--case", "plain", "--json", str(file)])
    assert exit_code.value.code == 2
    assert "No space left" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("verdict.json", "before")]


IMPORTS = "import no_such_library\ndef attention(q, k, v): pass\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{file}"], "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'"),
        (["{file}"], "(mine.py:1 in <module>: import no_such_library)"),
        ([f"{KERNELS}:atention"], "has no function 'atention', did you mean 'attention'?"),
        ([f"{KERNELS}:np"], "has no function 'np'"),
        (["collections:OrderedDict"], "OrderedDict in collections is a class, expected a function"),
        ([f"{KERNELS}:attention", "--case", "tabel"], "no case is named 'tabel', only plain, table"),
        ([f"{KERNELS}:attention", "--library", "cupy"], "the library cupy is not installed here"),
        ([f"{KERNELS}:attention", "--library", "torch", "--device", "cuda:99"], "no device 'cuda:99'"),
        ([f"{KERNELS}:attention", "--device", "cuda"], "NumPy has no device 'cuda'"),
        (["json:dumps"], "json:dumps needs obj: no argument of the kind attention (q, k, v, table"),
        ([f"{KERNELS}:attention", "--json", "no/such/folder.json"], "there is no folder no/such"),
        ([f"{KERNELS}:attention", "--kind", "atention"], "invalid choice: 'atention'"),
        (["--template", "fortran"], "invalid choice: 'fortran'"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line(arguments, words, kernel_file, capsys):
    if "cupy" in arguments:
        pytest.importorskip("numba")
    target = kernel_file(IMPORTS)
    with pytest.raises(SystemExit) as exit_code:
        main([argument.format(file=target) for argument in arguments])
    assert exit_code.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_file_with_a_librarys_name_replaces_no_library(tmp_path, capsys):
    (tmp_path / "numpy.py").write_text("def attention(q, k, v):\n    return q\n")
    before = sys.modules["numpy"]
    main([f"{tmp_path / 'numpy.py'}:attention", "--case", "plain"])
    assert sys.modules["numpy"] is before


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_bar_is_drawn_on_a_terminal_only(has_tqdm, monkeypatch):
    if not has_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    elsewhere, terminal = io.StringIO(), Terminal()
    assert list(bar([1, 2, 3], elsewhere)) == list(bar([1, 2, 3], terminal)) == [1, 2, 3]
    assert elsewhere.getvalue() == ""
    assert ("it/s" in terminal.getvalue()) == has_tqdm
    assert ("case 3 of 3" in terminal.getvalue()) == (not has_tqdm)


def test_control_c_ends_the_command_with_130(kernel_file):
    # no signal: a job in the background of a shell ignores that one
    target = kernel_file("def attention(q, k, v):\n    raise KeyboardInterrupt\n")
    words = [sys.executable, "-m", "parity_tests.check", target]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 130
    assert done.stderr == "\nrpb-check: interrupted\n"


def test_nothing_is_imported_that_is_not_asked_for():
    code = (
        "import sys\nfrom parity_tests.check.__main__ import main\n"
        f"main(['{KERNELS}:attention', '--case', 'plain'])\n"
        "print([n for n in ('torch', 'jax', 'tqdm', 'safetensors', 'pytest', 'ml_dtypes') "
        "if n in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def test_the_plugin_imports_nothing_before_it_is_asked():
    code = "import sys, parity_tests.check.pytest_plugin\nprint({'numpy', 'numba'} & set(sys.modules))"
    assert python(code) == "set()\n"


def test_the_parser_has_the_name_of_the_command(capsys):
    with pytest.raises(SystemExit) as exit_code:
        command.run(["--help"])
    assert exit_code.value.code == 0
    assert capsys.readouterr().out.startswith("usage: rpb-check ")
