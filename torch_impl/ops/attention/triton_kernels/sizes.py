"""Tile sizes and the split of the work, by shapes alone: the bits do not depend on the GPU."""

from typing import NamedTuple

SMALLEST, LARGEST_WINDOW = 16, 64  # tokens of a tile; a sequence of up to 64 is a window
PROGRAMS = 1024  # so many keep every GPU of today busy


class Tile(NamedTuple):
    """A tile of M queries and N keys, the warps that share it, and how many loads run ahead."""

    m: int
    n: int
    warps: int = 4
    stages: int = 2


def power_of_two(number: int, smallest: int = SMALLEST) -> int:
    """Return the smallest power of two that holds the number, and that a product can take."""
    return max(smallest, 1 << (number - 1).bit_length())


def is_window(q_len: int, k_len: int) -> bool:
    """Return whether a tile holds all queries and all keys."""
    return max(q_len, k_len) <= LARGEST_WINDOW


def window_tile(q_len: int, k_len: int, wide: bool, channels: int) -> Tile:
    """Return the tile that holds a window.

    wide: whether the dtype is float32. channels: the larger of d and dv, as a power of two.
    """
    m, n = power_of_two(q_len), power_of_two(k_len)
    return Tile(m, n, 4, 2)


def tile(name: str, wide: bool, channels: int) -> Tile:
    """Return the tile of a pass over long sequences.

    name: "forward", "queries", "keys" or "table". wide, channels: as for `window_tile`.
    """
    return Tile(32, 32, 4, 2)


def windows_per_program(batch: int, heads: int, most_slices: int) -> int:
    """Return how many windows a program goes over: few programs have more than one bias to read."""
    return max(min(64, batch * heads // PROGRAMS), -(-batch // most_slices), 1)


class Jobs(NamedTuple):
    """The cut of the pass for the table's gradient: batch elements per job, jobs, programs per head."""

    chunk: int
    jobs: int
    slices: int


def table_jobs(batch: int, heads: int, tiles: int, most_slices: int) -> Jobs:
    """Return the cut: long sums in registers, but enough jobs; no more slices than `most_slices`."""
    parts = min(batch, -(-PROGRAMS // (heads * tiles)))
    chunk = -(-batch // parts)
    jobs = tiles * -(-batch // chunk)
    return Jobs(chunk, jobs, max(1, min(jobs, -(-PROGRAMS // heads), most_slices)))


def most_slices(batch: int, q_len: int, dim: int, num_rows: int) -> int:
    """Return how many slices (H, R) are no larger together than q (B, H, Lq, d); at least one."""
    return max(1, batch * q_len * dim // num_rows)
