"""Files that survive a kill and a power cut, and a folder that one process at a time writes to."""

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".part"
LOCK = "lock"


def write_whole(path, content):
    """Write bytes or text beside the file, flush it to disk, then put it in place in one step.

    Killed at any moment, or without power, the path holds the old content or the new one.
    """
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    _write(partial, content, "wb")
    os.replace(partial, path)
    sync_folder(path.parent)


def append(path, text):
    """Add text at the end of a file and flush it to disk; killed meanwhile, it may hold a part of it."""
    new = not Path(path).exists()
    _write(path, text, "ab")
    if new:
        sync_folder(Path(path).parent)


def make_folder(folder):
    """Make a folder and those above it, and flush their names to disk."""
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
    """Within the block no other process gets past here with this folder.

    The lock is the system's (flock on the file "lock"): it ends with the process, also by kill -9.
    Raises ValueError when another process has it.
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
