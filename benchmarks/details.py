"""The page's table of every contestant in every race, in a block that is folded at first."""

from . import tables
from .tables import Table

COLUMNS = (
    "suite",
    "work",
    "part",
    "contestant",
    "median ms",
    "quartiles",
    "of the fastest torch",
    "quartiles",
    "first call s",
    "share of budget",
    "tensor",
)


def details(result):
    """Return the table as a folded <details> block."""
    rows = [_row(race, name) for race in result.races for name in race.lines]
    table = tables.markdown(Table("Every contestant", COLUMNS, rows, 4), 3)
    return (
        f"<details><summary>Every contestant, with spread and checks</summary>\n\n{table}\n</details>\n"
    )


def _row(race, name):
    line, time = race.lines[name], race.time(name)
    ratio = ("–", "–")
    if race.fastest_torch is not None:
        of = race.ratio(name, race.fastest_torch)
        ratio = (f"{of.median:.2f}", f"{of.low:.2f} – {of.high:.2f}")
    return (
        race.suite,
        race.work,
        race.part,
        name,
        f"{1e3 * time.median:.3f}",
        f"{1e3 * time.low:.3f} – {1e3 * time.high:.3f}",
        *ratio,
        f"{line.first_call:.2f}",
        f"{100 * line.check.share:.2g}%",
        line.check.tensor,
    )
