"""Truths computed ahead in other processes: plain NumPy's roundings take most of the time of parity."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from . import verdict
from .cases import CASES


@contextmanager
def computed_ahead(dtypes, jobs):
    """Let `jobs` processes compute the truth of every case, in the order of the tests."""
    context = multiprocessing.get_context("spawn")  # a process that uses a GPU cannot be forked
    pool = ProcessPoolExecutor(jobs, context)
    try:
        for number, case in enumerate(CASES):
            for dtype in dtypes:
                verdict.AHEAD[case, dtype] = pool.submit(_truth, number, dtype)
        yield
    finally:
        verdict.AHEAD.clear()
        pool.shutdown(wait=True, cancel_futures=True)


def _truth(number, dtype):
    return verdict.truth_of.__wrapped__(CASES[number], dtype)
