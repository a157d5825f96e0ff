"""The peak of the memory in use since a call of `start`: resident on the CPU, allocated on CUDA."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

UNIT = 2**20


@dataclass(frozen=True)
class Began:
    """The state at `start`: bytes in use (None where the system does not report it), peak before."""

    on_gpu: bool
    used: int | None
    most: int = 0


def start(name, device):
    """Reset the peak and return the state. name: the contestant; only PyTorch's use the GPU."""
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
    """Return (peak beyond the start, peak of the whole process or of all CUDA tensors), in MiB."""
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
    """Return the peak of this process in bytes.

    On Linux it is at least the memory that the parent process had when it started this one.
    """
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
