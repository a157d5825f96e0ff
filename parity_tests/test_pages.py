"""The form of the Markdown pages: width, links, signatures, and commands and files that exist."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import numpy_ref
import numpy_ref.ops

ROOT = Path(__file__).parent.parent
FOLDERS = (
    ".github",
    "benchmarks",
    "docs",
    "examples",
    "experiments",
    "numpy_ref",
    "parity_tests",
    "torch_impl",
)
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
)
WIDTH = 100
LINK = re.compile(r"!?\[(?:!\[[^]]*\]\([^)]*\)|[^]])*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`(\w+)\(([^`]*)\)`|```text\n(\w+)\(([^`]*)\)\n```")


def page_id(page):
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=page_id)


def unbreakable(line):
    """Return whether a line is a row of a table, or one link or picture."""
    return line.startswith("|") or LINK.fullmatch(line.strip())


@each_page
def test_lines_are_at_most_100_columns_wide(page):
    lines = page.read_text().splitlines()
    assert not [line for line in lines if len(line) > WIDTH and not unbreakable(line)]


def anchors(page):
    """Return the anchors that GitHub gives the page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    pictures = re.findall(r"!\[[^]]*\]\(([^)\s]+)\)", text)
    for target in [*LINK.findall(text), *pictures]:
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


@each_page
def test_make_targets_exist(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]*`", page.read_text(), re.DOTALL))
    assert set(re.findall(r"(?:^|`|\$ )make ([a-z-]+)", code, re.MULTILINE)) <= {*targets, "help"}


@pytest.mark.parametrize("page", [page for page in PAGES if "results" not in page.parts], ids=page_id)
def test_source_files_exist(page):
    """Each file named is found from the root, the page's folder or one of four other folders.

    Pages of results are left out, since they name the files that existed when they were made.
    """
    others = ("numpy_ref", "numpy_ref/position", "parity_tests", "experiments/tests")
    folders = [ROOT, page.parent, *(ROOT / folder for folder in others)]
    for name in re.findall(r"`([\w/*]+\.py)`", page.read_text()):
        assert any(list(folder.glob(name)) for folder in folders), name


def printed_signatures():
    """Yield (name, arguments) of each signature that docs/api.md prints in full."""
    for found in NAMED.findall((ROOT / "docs" / "api.md").read_text()):
        name, arguments = found[:2] if found[0] else found[2:]
        if "…" not in arguments:
            yield name, arguments


def read_signature(arguments):
    """Return {name: default} of the printed arguments; Parameter.empty without a default."""
    args = ast.parse(f"def f({arguments}): pass").body[0].args
    named = [a.arg for a in args.args]
    required = named + [a.arg for a in (args.vararg, args.kwarg) if a]
    optional = named[len(named) - len(args.defaults) :] + [a.arg for a in args.kwonlyargs]
    defaults = [ast.literal_eval(default) for default in args.defaults + args.kw_defaults]
    return dict.fromkeys(required, inspect.Parameter.empty) | dict(zip(optional, defaults, strict=True))


def true_signature(public):
    if hasattr(public, "_fields"):  # a result: only the names of its fields matter
        return dict.fromkeys(public._fields, inspect.Parameter.empty)
    return {p.name: p.default for p in inspect.signature(public).parameters.values()}


def test_api_page_prints_the_true_signatures():
    public = {name: getattr(numpy_ref, name) for name in numpy_ref.__all__}
    public |= {name: getattr(numpy_ref.ops, name) for name in numpy_ref.ops.__all__}
    public = {name: f for name, f in public.items() if callable(f) and name != "PositionBias"}
    printed = [(name, arguments) for name, arguments in printed_signatures() if name in public]
    for name, arguments in printed:
        assert read_signature(arguments) == true_signature(public[name]), name
    missing = public.keys() - {name for name, _ in printed}
    assert all(name.endswith("_backward") for name in missing), missing
