"""examples/check_my_kernel: its right kernels are right, the bugs of its wrong ones are named."""

import re

import pytest

from .check.__main__ import main
from .process import ROOT

FOLDER = ROOT / "examples" / "check_my_kernel"
BUGS = {
    "numpy": "dtable is overwritten, not summed",
    "torch": "the scale multiplies the bias too",
    "jax": "the mask is of the wrong window",
}


@pytest.fixture(params=BUGS)
def library(request):
    pytest.importorskip(request.param)
    return request.param


def test_the_right_kernel_is_right(library, capsys):
    assert main([f"{FOLDER / library}_kernel.py:right", "--quick"]) == 0
    assert ", 0 wrong" in capsys.readouterr().out


def test_the_bug_of_the_wrong_kernel_is_named(library, capsys):
    assert main([f"{FOLDER / library}_kernel.py:wrong", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert re.findall(r"^  - (.+?)[:\n]", shown, re.M) == [BUGS[library]]


@pytest.mark.parametrize("page", ["README.md", "examples/check_my_kernel/README.md"])
def test_a_page_shows_what_the_command_prints(page, capsys, monkeypatch):
    """Its blocks `$ rpb-check …` without JAX, line by line."""
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```text\n\$ rpb-check (.+)\n((?:.*\n)*?)```", (ROOT / page).read_text())
    shown = [(command, text) for command, text in blocks if "jax" not in command]
    assert shown
    for command, text in shown:
        if "torch" in command:
            pytest.importorskip("torch")
        main(command.split())
        assert blurred(capsys.readouterr().out) == blurred(text), command


def blurred(text):
    """Return the lines without numbers: rounding changes some, further cases others."""
    return [re.sub(r"-?\d[\d.]*(e[+-]\d+)?", "#", line) for line in text.splitlines()]
