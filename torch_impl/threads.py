"""How many threads PyTorch uses on the CPU."""

import torch

from .checks import check_positive_int


def num_threads():
    """Threads that PyTorch uses within an op."""
    return torch.get_num_threads()


def set_num_threads(n):
    """Let PyTorch use n threads within an op; raises TypeError/ValueError unless n is at least 1."""
    check_positive_int(n=n)
    torch.set_num_threads(n)
