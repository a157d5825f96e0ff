"""The pytest plugin: three lines give another project the cases as tests."""

import re

import pytest

from .process import ROOT

pytest_plugins = "pytester"
PLUGIN = "parity_tests.check.pytest_plugin"
KERNELS = """
from parity_tests.kernels_to_check import attention, attention_backward
from parity_tests.kernels_to_check import unscaled_dk as wrong, unscaled_dk_backward as wrong_backward
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """Return a function that runs the tests of a project with kernels, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(mykernels=KERNELS)

    def run(test, *arguments):
        pytester.makepyfile(test_kernel=test)
        options = ("-p", PLUGIN, "-p", "no:cacheprovider", "--strict-markers", *arguments)
        return pytester.runpytest_subprocess(*options)

    return run


def marked(options, target='"mykernels:attention"'):
    return f"""
import pytest

@pytest.mark.rpb({target}, {options})
def test_attention(rpb_case):
    rpb_case.check()
"""


def test_the_lines_of_the_pages_are_tests(project):
    for page in ("README.md", "docs/check_kernel.md"):
        (snippet,) = re.findall(r"```py\n(.*?)```", (ROOT / page).read_text(), re.S)
        test = snippet.replace("mypackage.kernels", "mykernels").replace(
            '", dtypes', '", quick=True, dtypes'
        )
        found = project(test.replace("bfloat16", "float64"), "-k", "cross or scale")
        found.assert_outcomes(passed=4, deselected=found.parseoutcomes()["deselected"])


def test_a_case_is_a_test_in_each_dtype(project):
    found = project(marked('dtypes=["float32", "float64"], pattern="*table"'), "-v")
    found.assert_outcomes(passed=2)
    found.stdout.fnmatch_lines("*test_attention[[]op-attention-table-float64[]] PASSED*")


def test_a_failure_shows_the_element_and_the_diagnosis(project):
    found = project(marked('pattern="beit_7x7"', "'mykernels:wrong'"))
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "mykernels:wrong, attention in float32, numpy arrays",
            "right in all cases: out, dq, dv, dtable",
            "dk * beit_7x7: batch *, head *, key * channel *",
            "small cases: * cases, * wrong",
            "  - dk lacks the scale",
        ]
    )
    assert "pytest_cases.py" not in found.stdout.str()  # no traceback of ours


def test_a_kernel_may_be_the_function_itself(project):
    found = project("from mykernels import attention\n" + marked('pattern="plain"', "kernel=attention"))
    found.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (marked("quick=True", '"mykernels:atention"'), "did you mean 'attention'?"),
        (marked('kind="biass"'), "kind is 'biass', expected one of attention"),
        (marked("unknown=1"), "unexpected keyword argument 'unknown'"),
        ("def test_alone(rpb_case): pass", "expected @pytest.mark.rpb(kernel) on it"),
    ],
)
def test_a_wrong_marker_is_said(test, words, project):
    found = project(test)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert words in found.stdout.str()
    assert "cases_of(*marker.args" not in found.stdout.str()  # no traceback of ours


def test_a_project_without_kernels_pays_nothing(project):
    found = project(
        "import sys\ndef test_it(): assert not {'numpy', 'numba', 'torch'} & set(sys.modules)"
    )
    found.assert_outcomes(passed=1)
