"""The entries to measure, the most important first, because a time limit may end the run."""

from . import contestants
from .measure import Entry
from .works import Attention, Block

WINDOWS = (7, 8, 12, 14, 16)
COUNTS = (8192, 1024, 65536)
LENGTHS = tuple(1024 * 2**n for n in range(6))  # 1k to 32k
DTYPES = ("bfloat16", "float32", "float16")


def windows(count):
    return [Attention((w, w), count, heads=4, head_dim=32) for w in WINDOWS]


def lengths():
    return [Attention((length,), 2, heads=8, head_dim=64) for length in LENGTHS]


def blocks():
    """Return blocks as in Swin-T's first stage, of 8192 windows each."""
    return [Block(w, 4 * w, 512, width=96, heads=3) for w in WINDOWS]


WORKS = (windows(COUNTS[0]), lengths(), blocks(), windows(COUNTS[1]), windows(COUNTS[2]))
TINY = (
    [Attention((3, 3), 4, heads=2, head_dim=8), Attention((4, 4), 2, heads=1, head_dim=12)],
    [Attention((length,), 2, heads=2, head_dim=8) for length in (16, 32)],
    [Block(3, 6, 2, width=12, heads=3)],
)


def entries(groups=WORKS, dtypes=DTYPES, suites=None):
    """Return the entries: bfloat16 with its gradients before other dtypes and before the forward alone.

    groups: lists of works, the most important first. suites: those to measure, None for all.
    """
    ranked = [
        (place + 3 * (not backward) + 4 * d, Entry(work, dtype, backward, name))
        for place, group in enumerate(groups)
        for backward in (True, False)
        for d, dtype in enumerate(dtypes)
        for work in group
        if suites is None or work.suite in suites
        for name in contestants.of(work)
    ]
    return [entry for _, entry in sorted(ranked, key=lambda pair: pair[0])]
