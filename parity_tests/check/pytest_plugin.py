"""A pytest plugin that runs the cases as tests of another project.

    @pytest.mark.rpb("mypackage.kernels:attention", dtypes=["float32", "bfloat16"])
    def test_attention(rpb_case):
        rpb_case.check()

It makes one test per case and dtype. Nothing is imported until a test uses `rpb_case`.
"""

import pytest

MARKER = (
    "rpb(kernel, kind='attention', dtypes=['float32'], quick=False, **options): the kernel that the"
    " fixture rpb_case has the cases for; options: scheme, library, device, pattern, without, as"
    " rpb-check has"
)


def pytest_configure(config):
    config.addinivalue_line("markers", MARKER)


def pytest_generate_tests(metafunc):
    if "rpb_case" not in metafunc.fixturenames:
        return
    from .pytest_cases import cases_of

    marker = metafunc.definition.get_closest_marker("rpb")
    if marker is None:
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.nodeid} uses rpb_case, expected @pytest.mark.rpb(kernel) on it"
        )
    try:
        cases = cases_of(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}") from None
    metafunc.parametrize("rpb_case", cases, ids=str)
