"""Every Python block in README.md and docs/ runs, and prints the ```text block that follows it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_do_what_the_page_says(page):
    """The blocks of a page run in order in one namespace; `# file:` blocks are not run."""
    namespace = {}
    for code, expected in BLOCK.findall(page.read_text()):
        if code.startswith("# file:"):
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{page.name}: {code.splitlines()[0]}", "exec"), namespace)
        assert printed.getvalue().split() == expected.split(), code
