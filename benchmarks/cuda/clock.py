"""Seconds and peak memory of a call, by CUDA's events and allocator; on a CPU by its clock alone."""

import math
import time

import torch

TURN, LEAST, MOST = 0.25, 5, 100  # seconds of timed calls, and their number
WARM_UP = 3
CACHE = 256 * 2**20  # bytes, more than any L2 cache: each call begins with a cold one
HEAD_START = 4_000_000  # cycles, about 2 ms: the GPU sleeps while the CPU launches a call's kernels


def seconds_of(run, device):
    """Return the seconds of each of several calls, after a warm-up."""
    for _ in range(WARM_UP):
        run()
    if device != "cuda":
        return [_on_cpu(run) for _ in range(LEAST)]
    cache = torch.empty(CACHE, dtype=torch.int8, device=device)
    (once,) = _by_events(run, cache, 1)
    return _by_events(run, cache, min(max(LEAST, math.ceil(TURN / once)), MOST))


def peak_of(run, device):
    """Return (the result of a call, bytes that it allocated at most; None on a CPU)."""
    if device != "cuda":
        return run(), None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    result = run()
    torch.cuda.synchronize()
    return result, torch.cuda.max_memory_allocated()


def in_use(device):
    """Return the bytes that tensors take; 0 on a CPU."""
    return torch.cuda.memory_allocated() if device == "cuda" else 0


def _by_events(run, cache, calls):
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(calls)]
    for begin, end in events:
        cache.zero_()
        torch.cuda._sleep(HEAD_START)
        begin.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) / 1e3 for begin, end in events]


def _on_cpu(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
