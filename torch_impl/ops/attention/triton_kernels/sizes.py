"""Tile sizes and the split of the work, by the shapes, the dtype and the generation of the GPU.

`python -m benchmarks.triton_ahead` compiles every entry: none spills registers to memory, and the shared
memory fits. Tables with a mask and prefix tokens, where registers are scarcest, decided the entries.
"""

from typing import NamedTuple

SMALLEST = 16  # rows of a tile: a tensor core's product takes no fewer
PROGRAMS = 1024  # so many keep every GPU of today busy


class Tile(NamedTuple):
    """A tile of M queries and N keys, the warps that share it, and how many loads run ahead."""

    m: int
    n: int
    warps: int = 4
    stages: int = 1


# {pass: {most channels: tile}}. For windows M and N are the most tokens of a sequence; longer ones take
# the other passes.
Tiles = dict[str, dict[int, Tile]]
AMPERE: Tiles = {  # sm_80, and the like with less shared memory (99 KB)
    "windows_forward": {32: Tile(64, 64, 8, 2), 128: Tile(32, 32), 256: Tile(16, 16)},
    "windows_backward": {32: Tile(64, 64, 8), 64: Tile(32, 32), 128: Tile(32, 32, 8), 256: Tile(16, 16)},
    "forward": {64: Tile(64, 32, 4, 2), 256: Tile(64, 32, 8, 2)},
    "queries": {128: Tile(64, 32, 4, 2), 256: Tile(32, 32, 8)},
    "keys": {64: Tile(32, 32, 4, 2), 128: Tile(32, 64, 8, 2), 256: Tile(32, 32, 8)},
    "table": {64: Tile(64, 32), 128: Tile(32, 32, 8), 256: Tile(16, 16)},
}
HOPPER: Tiles = {  # sm_90, sm_100
    "windows_forward": {32: Tile(64, 64, 4, 2), 128: Tile(32, 32), 256: Tile(16, 16)},
    "windows_backward": {32: Tile(64, 64, 8, 2), 128: Tile(32, 32), 256: Tile(16, 16)},
    "forward": {
        32: Tile(64, 32, 8, 2),
        64: Tile(128, 64, 8, 2),
        128: Tile(64, 32, 8),
        256: Tile(64, 32, 8, 2),
    },
    "queries": {
        32: Tile(64, 64, 8, 2),
        64: Tile(64, 64, 4, 2),
        128: Tile(64, 32, 4, 2),
        256: Tile(64, 32, 8, 2),
    },
    "keys": {
        32: Tile(32, 32, 4, 2),
        64: Tile(32, 32, 4, 2),
        128: Tile(32, 32, 8, 2),
        256: Tile(32, 32, 8),
    },
    "table": {64: Tile(64, 64, 8, 2), 128: Tile(64, 32, 8), 256: Tile(16, 16)},
}
FLOAT32: Tiles = {  # every GPU: products of float32 are not for tensor cores
    "windows_forward": {64: Tile(32, 32), 256: Tile(16, 16)},
    "windows_backward": {32: Tile(32, 32), 128: Tile(16, 16), 256: Tile(16, 16, 8)},
    "forward": {64: Tile(32, 32, 8), 128: Tile(32, 32), 256: Tile(16, 16, 8)},
    "queries": {32: Tile(32, 32, 8), 64: Tile(32, 32), 256: Tile(16, 16, 8)},
    "keys": {64: Tile(32, 32, 8), 128: Tile(16, 16, 8), 256: Tile(16, 16, 8, 2)},
    "table": {64: Tile(32, 32), 128: Tile(32, 16, 8), 256: Tile(16, 16)},
}


def tiles_for(wide: bool, generation: int) -> Tiles:
    """Return the table. wide: whether the dtype is float32; generation: 8 for sm_80, 9 for sm_90, …"""
    return FLOAT32 if wide else HOPPER if generation >= 9 else AMPERE


def tile(tiles: Tiles, name: str, channels: int) -> Tile:
    """Return the tile of a pass. channels: the larger of d and dv."""
    return next(tile for most, tile in tiles[name].items() if channels <= most)


def is_window(tiles: Tiles, q_len: int, k_len: int, channels: int) -> bool:
    """Return whether a tile holds all queries and all keys, forward and backward."""
    names = ("windows_forward", "windows_backward")
    return max(q_len, k_len) <= min(tile(tiles, name, channels).m for name in names)


def window_tile(tiles: Tiles, name: str, q_len: int, k_len: int, channels: int) -> Tile:
    """Return the tile that holds a window."""
    return tile(tiles, name, channels)._replace(m=power_of_two(q_len), n=power_of_two(k_len))


def power_of_two(number: int) -> int:
    """Return the smallest power of two that holds the number, and that a product can take."""
    return max(SMALLEST, 1 << (number - 1).bit_length())


def windows_per_program(batch: int, heads: int, most_slices: int) -> int:
    """Return how many windows a program computes: the more, the fewer programs read the bias."""
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
