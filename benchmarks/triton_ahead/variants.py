"""What is compiled: every tile of `sizes`, in the modes that take the most registers."""

from dataclasses import asdict, dataclass

from torch_impl.ops.attention.triton_kernels import backward, forward, sizes, table_gradient

KERNELS = {
    "windows_forward": forward.windows_forward,
    "windows_backward": backward.windows_backward,
    "forward": forward.tiles_forward,
    "queries": backward.queries_backward,
    "keys": backward.keys_backward,
    "table": table_gradient.tiles_table_gradient,
}
GENERATIONS = {"sm_80": 8, "sm_90": 9, "sm_100": 10}
SHARED = {"sm_80": 163, "sm_90": 227, "sm_100": 227}  # KB that a program can have
DTYPES = ("float16", "float32")  # bfloat16 takes what float16 takes
CLASSES = (32, 64, 128, 256)  # channels
MODES = {"offsets": True, "index": False}  # whether with prefix tokens


@dataclass(frozen=True)
class Variant:
    """A kernel to compile.

    name: of the pass; gpu: "sm_90", …; dtype: "float16", "bfloat16" or "float32"; channels: d and dv;
    mode: "offsets" (with prefix tokens) or "index"; each with a mask, and causal where it can be.
    """

    name: str
    gpu: str
    dtype: str
    channels: int
    mode: str
    tile: sizes.Tile

    @property
    def constants(self):
        """Return the values that are fixed at compile time."""
        found = {"MODE": self.mode, "PREFIX": MODES[self.mode], "MASKED": True, "CAUSAL": True}
        found |= {"M": self.tile.m, "N": self.tile.n, "D": self.channels, "DV": self.channels}
        names = KERNELS[self.name].arg_names
        return {name: value for name, value in found.items() if name in names}

    def asdict(self):
        return asdict(self) | {"tile": self.tile._asdict()}


def variants(gpus=tuple(GENERATIONS), dtypes=DTYPES, names=tuple(KERNELS), channels=CLASSES):
    """Return the variants: a window's largest tile is compiled, a smaller one needs fewer registers."""
    found = []
    for gpu in gpus:
        for dtype in dtypes:
            tiles = sizes.tiles_for(dtype == "float32", GENERATIONS[gpu])
            found += [
                Variant(name, gpu, dtype, number, mode, sizes.tile(tiles, name, number))
                for name in names
                for number in channels
                if number <= max(tiles[name])
                for mode in MODES
            ]
    return found
