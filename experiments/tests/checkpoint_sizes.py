"""Sizes of the random checkpoints of families that are tables here, see checkpoints.SIZES."""

LEVIT = {"T": 2, "U": 3, "V": 4, "W": 5, "F": 6, "N": 5, "depths": (2, 1)}
LEVIT |= {"d": (4, 6), "r": (9, 4), "h": (2, 3), "g": (8, 12), "v": (3, 5), "m": (8, 12)}
LEVIT |= {"p": 4, "q": 9, "i": 2, "k": 10, "l": 4, "o": 7, "n": 9}
LEVIT |= {"arguments": {"sides": [3, 2], "sides_before": [None, 3]}}

TABLE_SIZES = {"levit": LEVIT}
