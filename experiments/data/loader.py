"""Batches read ahead by worker processes, with PyTorch's DataLoader, in the order of the tasks.

Without PyTorch, or with no workers, they are read in this process: the same bits.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from multiprocessing import get_context, parent_process
from threading import Thread

import numpy as np

AHEAD = 2  # batches that a worker reads before they are taken


class Loader:
    """Reads tasks with `reader[task]`.

    reader: an object that pickles, whose items are tuples of arrays, or an error to be raised.
    workers: processes. They start at the first `read` and stay until the loader is dropped. Each starts
        afresh, since a fork would copy the locks of the kernels' threads, and gets only `reader` and its
        tasks. At most AHEAD batches per worker are read ahead.
    """

    def __init__(self, reader, workers: int = 0):
        self.reader = reader
        self.workers = workers
        self._tasks = _Tasks()
        self._processes = None

    def read(self, tasks: Iterable) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield the item of each task, in order; one reading at a time.

        Raises an error that the reader gave as an item, OSError if a worker was killed, and RuntimeError
        in a reading that goes on after another has begun.
        """
        if not self.workers or not _has_torch():
            yield from self.read_here(tasks)
            return
        own = self._tasks.current = iter(tasks)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores
            if self._processes is None:
                self._processes = _data_loader(self.reader, self._tasks, self.workers)
            batches = iter(self._processes)
        while (item := _next(batches)) is not None:
            yield tuple(tensor.numpy() for tensor in _checked(item))
            if self._tasks.current is not own:  # the workers have dropped the rest of this one
                raise RuntimeError("another reading has begun: a loader has one at a time")

    def read_here(self, tasks: Iterable) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield the item of each task, read in this process."""
        for task in tasks:
            yield _checked(self.reader[task])


class _Tasks:
    """The DataLoader's sampler: the tasks of one reading."""

    current: Iterator = iter(())

    def __iter__(self):
        return self.current


def _data_loader(reader, tasks, workers):
    import torch
    from torch.utils.data import DataLoader

    # The fork server imports PyTorch once; each worker is a fork of the server.
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch.utils.data"])
    return DataLoader(
        reader,
        sampler=tasks,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=AHEAD,
        persistent_workers=True,
        multiprocessing_context=context,
        worker_init_fn=_end_with_parent,
        generator=torch.Generator(),  # else it would draw from the global one
    )


def _end_with_parent(_):
    """End this worker when the process that reads is gone, also after SIGKILL.

    PyTorch watches the id of the parent. That is the fork server, which lives as long as its workers.
    """
    Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()


def _next(batches):
    try:
        return next(batches, None)
    except RuntimeError as error:  # PyTorch's, for a worker that has ended
        raise OSError(f"a process that reads images has ended: {error}") from error


def _checked(item):
    if isinstance(item, Exception):
        raise item
    return item


def _has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True
