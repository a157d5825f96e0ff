"""The report of a run: tables for the terminal, a page, JSON and pictures."""

import os
import shutil
from pathlib import Path

from experiments.files import write_whole
from experiments.pages import wrapped

from . import result as results
from . import tables
from .details import details
from .summary import heading, notes, tables_of

JSON, PAGE = "results.json", "README.md"


def text(result):
    """Return the report for the terminal."""
    parts = [tables.text(table) for table in tables_of(result)]
    return "\n".join(["", heading(result), "", *parts, *notes(result)])


def markdown(result, pictures=()):
    """Return the report as a Markdown page; pictures: {file: what it shows}."""
    shown = "\n\n".join(f"![{what}]({name})" for name, what in dict(pictures).items())
    parts = [tables.markdown(table) for table in tables_of(result)]
    remarks = wrapped("\n".join(f"- {note}" for note in notes(result)))
    head = wrapped(heading(result)).replace("\n", "  \n")
    remarks = f"## Notes\n\n{remarks}\n"
    return "\n".join(["# Benchmarks", "", head, "", shown, "", *parts, remarks, details(result)])


def refuse_other_folders(folder):
    """Raise ValueError if the folder holds anything but a report, since `write` replaces it."""
    if Path(folder).exists() and not (Path(folder) / JSON).is_file() and any(Path(folder).iterdir()):
        raise ValueError(f"{folder} holds something else than a benchmark report")


def write(folder, result):
    """Replace the folder by this report and return the paths of its files.

    If writing fails, the folder stays as it was.
    """
    from experiments.pictures import write_picture  # matplotlib takes a second to import

    from .plots import pictures

    folder = Path(folder)
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    drawn = pictures(result)
    for name, (_, figure) in drawn.items():
        write_picture(figure, partial / name)
    page = markdown(result, {name: what for name, (what, _) in drawn.items()})
    write_whole(partial / PAGE, page)
    write_whole(partial / JSON, results.to_json(result))
    _put_in_place(partial, folder)
    return sorted(folder.iterdir())


def _put_in_place(partial, folder):
    before = folder.with_name(folder.name + ".old")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        os.replace(folder, before)
    os.replace(partial, folder)
    shutil.rmtree(before, ignore_errors=True)
