"""Writing files so that they survive a kill or a power cut, and locking a folder for one process."""

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".part"
LOCK = "lock"


def write_whole(path, content):
    """Write bytes or text beside the file, flush it to disk, then put it in place in one step.

    After a kill or a power cut at any moment the path holds either the old or the new content.
    """
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    _write(partial, content, "wb")
    os.replace(partial, path)
    sync_folder(path.parent)


def append(path, text):
    """Append text to a file and flush it to disk; after a kill the file may hold a part of the text."""
    new = not Path(path).exists()
    _write(path, text, "ab")
    if new:
        sync_folder(Path(path).parent)


def make_folder(folder):
    """Make a folder and its missing parents, and flush their names to disk."""
    folder = Path(folder).absolute()
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder):
    """Flush the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder):
    """Lock the folder against other processes during the block.

    The lock (flock on the file "lock") ends with the process, even after kill -9.
    Raises ValueError when another process holds it.
    """
    with open(Path(folder) / LOCK, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder} is in use: another process trains it") from None
        yield


def _write(path, content, mode):
    data = content.encode() if isinstance(content, str) else content
    with open(path, mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
