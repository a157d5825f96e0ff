"""The most memory that was in use since a moment: resident on the CPU, allocated on CUDA."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

UNIT = 2**20


@dataclass(frozen=True)
class Began:
    """Where it was asked to begin; bytes in use then, None where the system does not tell."""

    on_gpu: bool
    used: int | None
    most: int = 0


def start(name, device):
    """Forget the peak so far. name: the contestant, as those of the NumPy twin stay on the CPU."""
    if device == "cuda" and name.startswith("torch"):
        import torch

        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return Began(True, torch.cuda.memory_allocated())
    try:
        most = _status("VmHWM")
        Path("/proc/self/clear_refs").write_text("5")
        return Began(False, _status("VmRSS"), most)
    except OSError:  # not Linux, or not allowed
        return Began(False, None)


def since(began):
    """(MiB beyond what was in use, MiB of the whole process or, on CUDA, of all that is allocated)."""
    if began.on_gpu:
        import torch

        most = torch.cuda.max_memory_allocated()
        return (most - began.used) / UNIT, most / UNIT
    if began.used is None:
        return None, _whole() / UNIT
    most = _status("VmHWM")
    return (most - began.used) / UNIT, max(most, began.most) / UNIT


def _status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def _whole():
    """In KiB on Linux, where it begins with that of the process that started this one; else in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
