"""Sizes of the random checkpoints of families that are tables here, see checkpoints.SIZES."""

LEVIT = {"T": 2, "U": 3, "V": 4, "W": 5, "F": 6, "N": 5, "depths": (2, 1)}
LEVIT |= {"d": (4, 6), "r": (9, 4), "h": (2, 3), "g": (8, 12), "v": (3, 5), "m": (8, 12)}
LEVIT |= {"p": 4, "q": 9, "i": 2, "k": 10, "l": 4, "o": 7, "n": 9}
LEVIT |= {"arguments": {"sides": [3, 2], "sides_before": [None, 3]}}

SAM = {"D": 6, "C": 3, "P": 4, "Q": 4, "A": 3, "B": 3, "K": 3, "M": 8, "O": 4}
SAM |= {"a": (3, 5), "b": (3, 5), "depths": (0, 0)}
SAM |= {"E": 2, "F": 1, "G": 4, "H": 2, "S": 3, "L": 7, "U": 2, "V": 5}

VITDET = {"D": 6, "C": 3, "P": 4, "Q": 4, "L": 10, "K": 3, "M": 8, "R": 2, "a": (3, 5), "b": (5, 3)}

MVIT = {"C": 3, "D": 4, "F": 6, "P": 7, "Q": 7, "S": 3, "N": 5, "depths": (2, 3)}
MVIT |= {"d": (4, 6), "k": (2, 3), "m": (8, 12), "x": 4, "y": (5, 7), "z": (7, 3)}

MAXVIT = {"C": 3, "S": 4, "T": 5, "F": 6, "G": 7, "N": 5, "depths": (2, 1)}
MAXVIT |= {"d": (32, 64), "h": (1, 2), "m": (8, 16), "s": (2, 4), "f": (6, 8), "x": 5}
MAXVIT |= {"y": 3, "z": 5, "v": 5, "w": 3, "only": {"shortcut": [(0, 0)]}}

TORCHVISION = {"r": (9, 25), "g": (25, 9), "h": (2, 3), "depths": (2, 1)}
TORCHVISION |= {"arguments": {"window": [2, 3], "grid": [3, 2]}}

TABLE_SIZES = {
    "maxvit": MAXVIT | {"without": ("num_batches_tracked",)},
    "maxvit_torchvision": TORCHVISION,
    "levit": LEVIT,
    "sam": SAM,
    "sam_encoder": SAM | {"without": ("^neck.weight", "^neck.bias", "^head")},
    "vitdet": VITDET | {"depths": (0, 0), "only": {"residual": [(1,)]}},
    "t5": {"R": 8, "H": 2, "depths": (0, 0), "only": {"layer.0": [(0,)]}},
    "mpnet": {"R": 8, "H": 2, "depths": (0,)},
    "mvitv2": MVIT | {"only": {"shortcut_proj_attn": [(1, 0)]}},
}
