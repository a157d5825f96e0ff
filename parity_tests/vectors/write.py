"""Write the files of all cases and the manifest, or compare the existing ones."""

import json
from pathlib import Path

from numpy_ref import __version__

from .. import budget
from .cases import EDGES, chosen
from .files import write_whole
from .make import dtypes_of, vectors_of
from .read import MANIFEST, Vectors

DATA = Path(__file__).parent / "data"
SCHEMA = "manifest.schema.json"


def write(folder, full=False):
    """Write the files, the manifest last; return their number and size."""
    old = _listed(folder)
    entries, size = [], 0
    for content, entry in _made(full):
        write_whole(folder / entry["file"], content)
        entries.append(entry)
        size += len(content)
    manifest = manifest_of(entries).encode()
    if folder != DATA:
        write_whole(folder / SCHEMA, (DATA / SCHEMA).read_bytes())
    write_whole(folder / MANIFEST, manifest)
    for name in old - {entry["file"] for entry in entries}:
        (folder / name).unlink(missing_ok=True)
    return len(entries) + 1, size + len(manifest)


def differences(folder):
    """Yield a line for each file that is not what is made now, or is one too many."""
    listed = {entry["id"] for entry in Vectors(folder).entries}
    full = bool(listed - {row.id for row in chosen()})
    entries = []
    for content, entry in _made(full):
        entries.append(entry)
        path = folder / entry["file"]
        if not path.is_file():
            yield f"{path}: is not there"
        elif path.read_bytes() != content:
            yield f"{path}: is not what is made now"
    if (folder / MANIFEST).read_text(encoding="utf-8") != manifest_of(entries):
        yield f"{folder / MANIFEST}: is not what is made now"
    known = {entry["file"] for entry in entries}
    for path in sorted(folder.glob("*/*")):
        if path.relative_to(folder).as_posix() not in known:
            yield f"{path}: belongs to no case"


def manifest_of(entries):
    """Return the manifest as text, a line per case."""
    manifest = {
        "format": 1,
        "version": __version__,
        "rules": {"float64": budget.FLOAT64, "rounding": budget.ROUNDING},
        "edge_cases": EDGES,
        "cases": [],
    }
    head = json.dumps(manifest, indent=1, ensure_ascii=False).removesuffix("[]\n}")
    return head + "[\n" + ",\n".join(json.dumps(e, ensure_ascii=False) for e in entries) + "\n]}\n"


def _made(full):
    """Yield (bytes, entry) of every case in every precision."""
    for row in chosen(full):
        for dtype in dtypes_of(row):
            yield vectors_of(row, dtype)


def _listed(folder):
    """Return the files that an earlier manifest lists."""
    return (
        {entry["file"] for entry in Vectors(folder).entries} if (folder / MANIFEST).exists() else set()
    )
