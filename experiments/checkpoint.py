"""Checkpoints in safetensors: weights and optimizer state as tensors, the progress as JSON beside them.

Both twins write the same names, so either can read what the other wrote.
"""

import json
from pathlib import Path

import safetensors.numpy
from safetensors import SafetensorError, safe_open

from .files import write_whole

PROGRESS = {"epoch", "step", "generator", "best_val_accuracy"}


def save(path, arrays, progress):
    """arrays {name: ndarray}, progress: JSON-able dict. The file is replaced whole."""
    arrays = {name: array.copy(order="C") for name, array in arrays.items()}
    write_whole(path, safetensors.numpy.save(arrays, {"progress": json.dumps(progress)}))


def load(path):
    """(arrays, progress); raises FileNotFoundError or ValueError naming the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            progress = json.loads((file.metadata() or {})["progress"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a checkpoint of this project ({error})") from error
    if not isinstance(progress, dict) or not progress.keys() >= PROGRESS:
        raise ValueError(f"{path}: its progress is {progress}, expected {', '.join(sorted(PROGRESS))}")
    return arrays, progress
