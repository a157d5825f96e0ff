"""Compiled code on disk: a file for each compilation, named by all that its machine code depends on.

numba's own cache looks at no file but the function's, and two processes that write its index at once
can leave the code of one under the name of the other. Here there is no index: each compilation has a
file under a name of its own, and a process that needs other code looks for another name.
"""

import hashlib
import os
import pickle
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba import config
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

from .target import REGISTER_BYTES


def sources():
    """The files that kernels are compiled from: their own and all they import."""
    package = Path(__file__).parents[2]
    shared = (package / "checks.py", package / "gate.py")
    return sorted([*package.glob("kernels/**/*.py"), *package.glob("ops/*.py"), *shared])


def _digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


# What all kernels depend on besides the processor, which is in numba's key of each compilation.
STAMP = _digest(
    [(path.name, path.read_bytes()) for path in sources()],
    [module.__version__ for module in (numba, llvmlite, np)],
)
CHECKSUM = 32  # bytes in front of the data
OPTIONS = (REGISTER_BYTES, config.OPT, config.BOUNDSCHECK)


class Kept(FunctionCache):
    """A function's compiled code, kept where numba would keep it; RuntimeError if that is nowhere."""

    def __init__(self, function):
        super().__init__(function)
        name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
        self._cache_file = _Files(self.cache_path, f"{name}.{sys.implementation.cache_tag}")

    def save_overload(self, sig, data):
        with suppress(OSError):  # a full disk is no reason to fail: the next process compiles again
            super().save_overload(sig, data)


class _Files:
    """The part of numba's cache that reads and writes; a key is (signature, processor, function)."""

    def __init__(self, folder, name):
        self.folder, self.name = Path(folder), name

    def load(self, key):
        """What was saved under this key; None if that is nothing or damaged."""
        with suppress(OSError):
            content = self._path(key).read_bytes()
            if content[:CHECKSUM] == _checksum(content[CHECKSUM:]):
                return pickle.loads(content[CHECKSUM:])
        return None

    def save(self, key, data):
        """Write a temporary file and rename it; remove what older sources left for the same call."""
        data, path = dumps(data), self._path(key)
        unfinished = path.with_name(f"{uuid.uuid4().hex}.tmp")
        try:
            unfinished.write_bytes(_checksum(data) + data)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        for other in self.folder.glob(f"{self._call(key)}-*.nbc"):
            if other != path:
                other.unlink(missing_ok=True)

    def flush(self):
        """Forget everything of this function."""
        for path in self.folder.glob(f"{self.name}-*.nbc"):
            path.unlink(missing_ok=True)

    def _call(self, key):
        return f"{self.name}-{_digest(key[:2], OPTIONS)}"

    def _path(self, key):
        return self.folder / f"{self._call(key)}-{_digest(key, STAMP)}.nbc"


def _checksum(data):
    return hashlib.sha256(data).digest()
