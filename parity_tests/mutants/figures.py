"""The results of the mutants, printed and as a page of the docs."""

import os
import platform
import textwrap

import numba
import numpy
import torch

from .calls import ROOT

PAGE = ROOT / "docs/results/mutants.md"
OUTCOMES = ("exception", "value", "time", "explained", "survived")
PAGE_TEXT = """# Mutants

Small bugs, planted one at a time at random places of both twins and of `experiments`' data and
checkpoint. A mutant is killed when a test that calls the changed function turns red: by an
assertion (value), by another exception (or the process's end), or because it takes twenty times
as long. Made by `make mutants N={number} SEED={seed}`, which exits with 1 where one survives
unexplained. The share of the groups is fixed, and so are the kinds in turn: operators, numbers,
conditions, slices, arguments, statements.

{table}

{where}

## Explained

No test can see these: the mutant computes the same, or only its time or the text of a message
differs.
"""


def show(number, mutant, outcome, result):
    """Print the result of one mutant."""
    print(f"{number:4} {outcome:9} {result['seconds']:6} s  {mutant.file} {mutant.function}")
    print(f"     - {mutant.lines[0]}\n     + {mutant.lines[1]}\n     {result['why']}", flush=True)


def table(groups):
    """Return a Markdown table with a line per group and one for all."""
    lines = ["| | drawn | killed | exception | value | time | explained | survived |"]
    lines.append("| --- |" + " ---: |" * 7)
    rows = {group: [how for how, _ in found.values()] for group, found in groups.items()}
    rows["all"] = [how for found in rows.values() for how in found]
    for group, found in rows.items():
        counts = [found.count(outcome) for outcome in OUTCOMES]
        lines.append(
            f"| {group} | " + " | ".join(map(str, [len(found), sum(counts[:3]), *counts])) + " |"
        )
    return "\n".join(lines)


def write(groups, explained, number, seed):
    """Write the page; each explained mutant and each survivor is shown as a diff."""
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (numpy, numba, torch))
    where = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    )
    page = PAGE_TEXT.format(number=number, seed=seed, table=table(groups), where=where)
    for key, (how, _) in ((k, o) for found in groups.values() for k, o in found.items()):
        if how in ("explained", "survived"):
            file, function, was, now = key
            why = explained.get(key, "not explained")
            what = textwrap.fill(
                f"`{file}` {function or 'at import'}: {why}", 98, break_on_hyphens=False
            )
            page += f"\n{what}\n```diff\n- {was}\n+ {now}\n```\n"
    PAGE.write_text(page)
