"""Any contestant of attention, limited to one thread during its turn."""

import importlib
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from threadpoolctl import threadpool_limits

from . import ATTENTION
from . import make as make_any

SUFFIX = ", 1 thread"


def make(name, work, given, backward, device):
    name = name.removesuffix(SUFFIX)
    contestant = make_any(ATTENTION, name, work, given, backward, device)
    return replace(contestant, within=lambda: _one_thread(contestant, name.startswith("torch")))


@contextmanager
def _one_thread(contestant, is_torch):
    """Limit BLAS and the contestant's twin to one thread, and restore the number afterwards."""
    twin = importlib.import_module("torch_impl" if is_torch else "numpy_ref")
    before = twin.num_threads()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1, "blas"))
        stack.enter_context(contestant.within())
        twin.set_num_threads(1)
        stack.callback(twin.set_num_threads, before)
        yield
