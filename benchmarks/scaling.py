"""Races of attention, forward and backward, over the batch, the length and the number of threads."""

from . import contestants, entry, workloads

WHO = {name: contestants.ATTENTION[name] for name in ("numpy", "numba", "torch eager", "torch sdpa")}
THREADS = WHO | {f"{name}, 1 thread": "one_thread" for name in WHO}


def entries(settings):
    """Return the entries; torch.compile is left out, as it would compile for each of the shapes."""
    quick = settings.quick
    batches = workloads.QUICK_BATCHES if quick else workloads.BATCHES
    lengths = workloads.QUICK_LENGTHS if quick else workloads.LENGTHS
    threads = workloads.QUICK_THREADS if quick else workloads.THREADS
    grown = [entry.attention("batch", work, places=WHO) for work in batches]
    grown += [entry.attention("length", work, places=WHO) for work in lengths]
    return grown + [entry.attention("threads", work, places=THREADS) for work in threads]
