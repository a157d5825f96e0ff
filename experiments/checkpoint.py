"""Checkpoints in safetensors: weights and optimizer state as tensors, the progress as JSON metadata.

Both twins write the same names, so each can read the other's files. The metadata hold a SHA-256 of the
whole file, computed with zeros in the place of the digest, so every changed bit is noticed.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import safetensors.numpy
from safetensors import SafetensorError

from .fields import check_fields, is_int, is_number

NO_DIGEST = "0" * 64


class Checkpoint(NamedTuple):
    """The content of a checkpoint; arrays {name: ndarray}, progress: see `check_progress`."""

    arrays: dict
    progress: dict


def pack(arrays, progress):
    """Return the bytes of a checkpoint file; arrays {name: ndarray}, progress: see `check_progress`."""
    arrays = {name: array.copy(order="C") for name, array in arrays.items()}
    # One entry of metadata: the order of several is not fixed, but equal runs must give equal files.
    text = json.dumps({"sha256": NO_DIGEST, "progress": progress})
    content = safetensors.numpy.save(arrays, {"checkpoint": text})
    digest = hashlib.sha256(content).hexdigest()
    return content.replace(NO_DIGEST.encode(), digest.encode(), 1)


def load(path):
    """Read the Checkpoint in a file.

    Raises FileNotFoundError, or ValueError naming the file when any bit of it has changed.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    content = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(content)
        size = int.from_bytes(content[:8], "little")
        entry = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["checkpoint"])
        digest, progress = entry["sha256"].encode(), entry["progress"]
    except (
        SafetensorError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ValueError(f"{path}: damaged, or no checkpoint of this version ({error})") from error
    if digest.decode() != hashlib.sha256(content.replace(digest, NO_DIGEST.encode(), 1)).hexdigest():
        raise ValueError(f"{path}: damaged, its content does not match the SHA-256 in it")
    check_progress(path, progress)
    return Checkpoint(arrays, progress)


def check_progress(path, progress):
    """Raise ValueError naming the file and the first missing or bad field.

    epoch, best_epoch: counted from 1, both 0 for weights that a run begins with; step: of the
    optimizer; best_val_accuracy: of best_epoch, −1 for epoch 0; metrics: the digest of the epochs' rows,
    see experiments.metrics; generator: checked by the trainer.
    """
    expected = {
        "epoch": (is_int, "an integer of at least 0"),
        "step": (is_int, "an integer of at least 0"),
        "best_epoch": (
            lambda n: is_int(n, min(1, progress["epoch"])) and n <= progress["epoch"],
            "an integer in [1, epoch], or 0 if the epoch is 0",
        ),
        "best_val_accuracy": (
            lambda x: is_number(x) and (0 <= x <= 1 if progress["epoch"] else x == -1),
            "a number in [0, 1], or −1 if the epoch is 0",
        ),
        "metrics": (lambda text: isinstance(text, str) and len(text) == 64, "a SHA-256"),
        "generator": (lambda state: isinstance(state, dict), "the state of a generator"),
    }
    check_fields(f"{path}: progress", progress, expected)
