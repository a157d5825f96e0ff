"""Tables for a terminal and for a page."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of strings under a heading; all but the first `left` columns are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def text(table):
    lines = [table.columns, *table.rows]
    widths = [max(len(line[c]) for line in lines) for c in range(len(table.columns))]
    aligned = (
        "  ".join(
            cell.ljust(width) if c < table.left else cell.rjust(width)
            for c, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
    return "\n".join([table.title, "-" * len(table.title), *aligned, ""])


def markdown(table, level=2):
    rule = ["---"] * table.left + ["---:"] * (len(table.columns) - table.left)
    lines = [table.columns, rule, *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{'#' * level} {table.title}\n\n{body}\n"
