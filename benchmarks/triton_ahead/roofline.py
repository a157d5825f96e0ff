"""The least time that bytes and FLOPs allow, worked out on paper: nothing here was measured.

A pass takes at least FLOPs / peak and at least bytes / bandwidth. FLOPs count the padding of tiles.
Bytes are what has to come from memory at least once; what a tile reads again comes from the L2 cache.
SDPA stands for PyTorch's fused attention with the bias as its mask, whose gradient it writes.
"""

from dataclasses import dataclass

from torch_impl.ops.attention.triton_kernels import sizes


@dataclass(frozen=True)
class Gpu:
    """bandwidth: bytes per second; half, single: FLOPs per second of products (data sheets)."""

    generation: int
    bandwidth: float
    half: float
    single: float


GPUS = {
    "A100 40 GB": Gpu(8, 1555e9, 312e12, 19.5e12),
    "A100 80 GB": Gpu(8, 2039e9, 312e12, 19.5e12),
    "H100 SXM": Gpu(9, 3350e9, 989e12, 67e12),
    "H200": Gpu(9, 4800e9, 989e12, 67e12),
}


@dataclass(frozen=True)
class Workload:
    """batch: B, all windows; rows: of the table; size: bytes of a number (2: half precision)."""

    name: str
    batch: int
    heads: int
    tokens: int
    dim: int
    rows: int
    size: int = 2


WORKLOADS = [
    Workload("7×7, 1k windows", 1024, 3, 49, 32, 169),
    Workload("7×7, 16k windows", 16384, 3, 49, 32, 169),
    Workload("7×7, 64k windows", 65536, 3, 49, 32, 169),
    Workload("12×12, 4k windows", 4096, 4, 144, 32, 529),
    Workload("16×16, 1k windows", 1024, 4, 256, 32, 961),
    Workload("1-D, 1k tokens", 32, 12, 1024, 64, 2047),
    Workload("1-D, 4k tokens", 8, 12, 4096, 64, 8191),
    Workload("1-D, 32k tokens", 1, 12, 32768, 64, 65535),
]
# The products of a tile (M, N) with d channels, and the tensors (B, H, L, d) read or written.
PRODUCTS = {"windows_forward": 2, "windows_backward": 5}
PRODUCTS |= {"forward": 2, "queries": 3, "keys": 4, "table": 2}
TENSORS = {"windows_forward": 4, "windows_backward": 7}
TENSORS |= {"forward": 4, "queries": 6, "keys": 6, "table": 4}


def passes(work, gpu):
    """Return the passes of (forward, backward), as names."""
    tiles = sizes.tiles_for(work.size == 4, gpu.generation)
    if sizes.is_window(tiles, work.tokens, work.tokens, work.dim):
        return ("windows_forward",), ("windows_backward",)
    return ("forward",), ("queries", "keys", "table")


def tile_of(name, work, gpu):
    tiles = sizes.tiles_for(work.size == 4, gpu.generation)
    if name.startswith("windows"):
        return sizes.window_tile(tiles, name, work.tokens, work.tokens, work.dim)
    return sizes.tile(tiles, name, work.dim)


def cost(name, work, gpu):
    """Return (FLOPs, bytes) of a pass."""
    tile, dim = tile_of(name, work, gpu), sizes.power_of_two(work.dim)
    pairs = _padded(work.tokens, tile.m) * _padded(work.tokens, tile.n)
    flops = PRODUCTS[name] * 2 * pairs * dim * work.batch * work.heads
    tensor = work.batch * work.heads * work.tokens * work.dim * work.size
    number = TENSORS[name] * tensor
    if name in ("windows_backward", "table"):  # written as zeros, added to, read by the sum
        number += 3 * slices(work, gpu) * work.heads * work.rows * 4
    return flops, number


def slices(work, gpu):
    """Return how many slices (H, R) the table's gradient takes."""
    most = sizes.most_slices(work.batch, work.tokens, work.dim, work.rows)
    name = passes(work, gpu)[1][-1]
    if name == "windows_backward":
        return -(-work.batch // sizes.windows_per_program(work.batch, work.heads, most))
    tile = tile_of(name, work, gpu)
    tiles = -(-work.tokens // tile.m) * -(-work.tokens // tile.n)
    return sizes.table_jobs(work.batch, work.heads, tiles, most).slices


def seconds(flops, number, gpu, size=2):
    return max(flops / (gpu.half if size == 2 else gpu.single), number / gpu.bandwidth)


def expected(work, gpu):
    """Return seconds of (forward, backward)."""
    return tuple(
        sum(seconds(*cost(name, work, gpu), gpu, work.size) for name in names)
        for names in passes(work, gpu)
    )


def expected_of_sdpa(work, gpu):
    """Return seconds of (forward, backward) of SDPA with the bias as mask and the gather before it.

    The gradient of the mask is (B, H, L, L): it is written, then read to be summed over the batch; the
    sum is written and read by the gather's backward.
    """
    tensor = work.batch * work.heads * work.tokens * work.dim * work.size
    bias = work.heads * work.tokens**2 * work.size
    product = 2 * work.batch * work.heads * work.tokens**2 * work.dim
    forward = seconds(2 * product, 4 * tensor + 2 * bias, gpu, work.size)
    dbias = 2 * work.batch * bias + 2 * bias
    return forward, seconds(5 * product, 8 * tensor + bias + dbias, gpu, work.size)


def intensity(name, work, gpu):
    """Return (FLOPs, bytes) of a step of a pass: a tile of pairs with the rows that it loads."""
    tile, dim = tile_of(name, work, gpu), sizes.power_of_two(work.dim)
    flops = PRODUCTS[name] * 2 * tile.m * tile.n * dim
    m, n = tile.m, tile.n
    rows = {"windows_forward": 2 * m + 2 * n, "windows_backward": 3 * m + 4 * n}
    rows |= {"forward": 2 * n, "queries": 2 * n, "keys": 2 * m, "table": 2 * m + 2 * n}
    return flops, rows[name] * work.dim * work.size


def _padded(tokens, tile):
    return -(-tokens // tile) * tile
