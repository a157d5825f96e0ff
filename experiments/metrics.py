"""metrics.jsonl: one row per epoch, each with a checksum, and a digest of all rows in the checkpoint.

A row is a JSON object on a line; its last field, "crc32", is the checksum of the line without it. A
checkpoint holds a digest chained over the rows of its epochs, without their times, so that equal runs
have equal checkpoints.
"""

import functools
import hashlib
import json
import zlib
from pathlib import Path

from .files import append, write_whole

NAME, LOG = "metrics.jsonl", "log.txt"
COUNTS = ("epoch", "epochs", "step")
NUMBERS = ("lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy")
TIMES = ("seconds", "images_per_second")
NO_ROWS = "0" * 64


def chain(so_far, row):
    """Return the digest of the rows so far and this one; so_far: their digest, NO_ROWS for none."""
    timeless = {name: row[name] for name in COUNTS + NUMBERS}
    return hashlib.sha256((so_far + json.dumps(timeless)).encode()).hexdigest()


def digest(rows):
    """Return the digest of all these rows."""
    return functools.reduce(chain, rows, NO_ROWS)


def record(folder, row):
    """Append an epoch's row to metrics.jsonl and its line to log.txt; return the line."""
    append(Path(folder) / NAME, _line(row))
    line = log_line(row)
    append(Path(folder) / LOG, line + "\n")
    return line


def read(folder, progress=None):
    """Read the rows up to the epoch of a checkpoint's progress (None: there is no checkpoint yet).

    A kill can leave one row more than the checkpoint knows, and half a line after it; both are ignored.
    Raises ValueError naming the file and, where one line is wrong, the line.
    """
    path = Path(folder) / NAME
    epochs = progress["epoch"] if progress else 0
    text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
    lines = text.split("\n")[:-1]  # drop what follows the last line end: nothing, or half a line
    if not epochs <= len(lines) <= epochs + 1:
        raise ValueError(
            f"{path} has the rows of {len(lines)} epochs, but last.safetensors is of epoch {epochs}"
        )
    rows = [_row(path, number, line) for number, line in enumerate(lines[:epochs], start=1)]
    if progress and digest(rows) != progress["metrics"]:
        raise ValueError(f"{path}: its rows do not match the digest in last.safetensors")
    return rows


def rewind(folder, rows):
    """Rewrite metrics.jsonl and log.txt with these rows only, so that a resumed run repeats none."""
    write_whole(Path(folder) / NAME, "".join(map(_line, rows)))
    write_whole(Path(folder) / LOG, "".join(log_line(row) + "\n" for row in rows))


def log_line(row):
    """Return a row's log line, the same for both twins and without times, for comparison with diff."""
    return (
        f"epoch {row['epoch']:3d}/{row['epochs']}  lr {row['lr']:.2e}  "
        f"train_loss {row['train_loss']:.4f}  train_accuracy {row['train_accuracy']:.4f}  "
        f"val_loss {row['val_loss']:.4f}  val_accuracy {row['val_accuracy']:.4f}"
    )


def _line(row):
    text = json.dumps(row)
    return f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n'


def _row(path, number, line):
    try:
        row = json.loads(line)
        row.pop("crc32")
        whole = _line(row) == line + "\n" and row.keys() == {*COUNTS, *NUMBERS, *TIMES}
    except (ValueError, AttributeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise ValueError(f"{path}: line {number} is not as it was written")
    wrong = [name for name in COUNTS if type(row[name]) is not int]
    wrong += [name for name in NUMBERS + TIMES if type(row[name]) not in (int, float)]
    if wrong or row["epoch"] != number:
        raise ValueError(f"{path}: line {number} does not hold the metrics of epoch {number}")
    return row
