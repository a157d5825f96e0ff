"""What the machine is, and how fast it multiplies large matrices."""

import os
import platform
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from parity_tests import report

from .cores import gain

SIZE, REPEATS = 2048, 5
OTHERS = ("transformers", "timm")


def describe(device):
    """Return {"processor", "cores", "gain" (see cores.py), "versions", "gpu" on CUDA}."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {"processor": _processor(), "cores": cores, "gain": asdict(gain()), "versions": versions()}
    if device == "cuda":
        import torch

        found["gpu"] = torch.cuda.get_device_name()
    return found


def versions():
    installed = {}
    for package in OTHERS:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return report.versions() | installed


def rates(device):
    """Return {library: flop per second} of float32 products of 2048 × 2048 matrices, best of 5.

    "numpy on one thread" is the rate of a single core.
    """
    import torch

    a = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    b = torch.tensor(a)
    found = {"numpy": _best(lambda: a @ a), "torch": _best(lambda: b @ b)}
    with threadpool_limits(1, "blas"):
        found["numpy on one thread"] = _best(lambda: a @ a)
    if device == "cuda":
        c = b.to(device)
        found["cuda"] = _best(lambda: (c @ c, torch.cuda.synchronize()))
    return found


def _best(product):
    product()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - started)
    return 2 * SIZE**3 / min(seconds)


def _processor():
    """Return the processor's name; on Linux /proc/cpuinfo has a better one than `platform`."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
