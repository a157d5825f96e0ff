"""How many threads PyTorch uses on the CPU."""

import torch

from .checks import check_positive_int

MOST_THREADS = 1024


def num_threads() -> int:
    """Return the number of threads that PyTorch uses within an op."""
    return torch.get_num_threads()


def set_num_threads(n: int) -> None:
    """Let PyTorch use n threads within an op.

    Raises TypeError/ValueError unless n is an integer from 1 to 1024.
    """
    check_positive_int(n=n)
    if n > MOST_THREADS:
        raise ValueError(f"n is {n}, expected at most {MOST_THREADS}")
    torch.set_num_threads(n)
