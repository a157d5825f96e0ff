"""Every Python block in README.md and docs/ runs, and prints the ```text block that follows it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import numpy_ref
import torch_impl

from .cases.models import GRID, attention
from .cases.schemes import scheme
from .compare import compare

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.DOTALL)
FILE = "# file: "
# What a block needs that is not there: the page, and whose tests run it in place of these.
NEEDS = {
    "runs/NAME": ("training.md", "experiments/tests/test_self_contained.py"),
    "models/NAME": ("README.md", "experiments/tests/test_export.py"),
}


def blocks(page):
    """Return [(code, expected output)] of the page's Python blocks."""
    return BLOCK.findall(page.read_text())


def needed_by(code):
    """Return what the block needs of NEEDS, or None."""
    return next((needed for needed in NEEDS if needed in code), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_do_what_the_page_says(page):
    """The blocks of a page run in order in one namespace.

    Blocks that show a file are run by the test below, those that need a trained run by the tests that
    NEEDS names.
    """
    namespace = {}
    for code, expected in blocks(page):
        if code.startswith(FILE):
            assert page.name == "architecture.md", "only the example of architecture.md is run as files"
            continue
        if needed := needed_by(code):
            expected_page, tests = NEEDS[needed]
            assert page.name == expected_page, f"{tests} runs only the block of {expected_page}"
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{page.name}: {code.splitlines()[0]}", "exec"), namespace)
        assert printed.getvalue().split() == expected.split(), code


def test_the_example_of_a_new_scheme_is_right(monkeypatch):
    """The example in architecture.md (two files and their cases) is within the budget in both twins."""
    code = [c for c, _ in blocks(ROOT / "docs" / "architecture.md") if c.startswith(FILE)]
    *files, cases = [dict(re.findall(rf"{FILE}(.+)\n((?:(?!{FILE}).*\n)+)", c)) for c in code]
    for twin, file in zip((numpy_ref, torch_impl), files, strict=True):
        ((path, source),) = file.items()
        assert path == f"{twin.__name__}/position/clipped.py"
        namespace = {"__name__": f"{twin.__name__}.position.clipped"}
        exec(compile(source, path, "exec"), namespace)
        monkeypatch.setitem(twin.SCHEMES, "clipped", namespace["Clipped"])
    known = {"scheme": scheme, "attention": attention, "GRID": GRID}
    rows = [case for source in cases.values() for case in eval(f"[{source}]", known)]
    assert [case.kind for case in rows] == ["scheme"] * 3 + ["attention"]
    for case in rows:
        assert all(row.ok for row in compare(case, "float64")), case.id
