"""Read the golden vectors: manifest.json and one safetensors file per case."""

import hashlib
import json
import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np

ITEMS = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(jnp.bfloat16),
    "I64": np.dtype("<i8"),
}


class DamagedError(Exception):
    """A file that is not what the manifest says; the text names the file and the tensor."""


def read_manifest(folder):
    """Return the manifest of a folder of vectors."""
    path = Path(folder) / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise DamagedError(f"{path}: the format is not 1")
    return manifest


def read_case(folder, case):
    """Return the tensors {name: array} of a case after comparing shapes, dtypes and checksum."""
    path = Path(folder) / case["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}") from error
    tensors = dict(read_tensors(path, content))
    if hashlib.sha256(content).hexdigest() != case["sha256"]:
        raise DamagedError(f"{path}: the checksum is not that of the manifest")
    for name, shape, dtype in expected(case):
        if name not in tensors:
            raise DamagedError(f"{path}: {name}: missing")
        if list(tensors[name].shape) != shape or dtype not in (None, tensors[name].dtype):
            came = f"{tensors[name].dtype} {list(tensors[name].shape)}"
            raise DamagedError(f"{path}: {name}: {came}, the manifest says {dtype or ''} {shape}")
    return tensors


def expected(case):
    """Yield (name, shape, dtype or None) of the tensors that a case needs."""
    for name, entry in case["inputs"].items():
        yield f"input.{name}", entry["shape"], ITEMS[entry["dtype"]]
    for name, entry in case["outputs"].items():
        yield f"truth.{name}", entry["shape"], None
        if entry["rule"] == "rounding":
            yield f"spread.{name}", entry["shape"], ITEMS["F32"]


def read_tensors(path, content):
    """Yield (name, array) of the bytes of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
    except ValueError as error:
        raise DamagedError(f"{path}: the header is no JSON") from error
    data = content[8 + length :]
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        item, shape = ITEMS.get(entry["dtype"]), entry["shape"]
        if item is None:
            raise DamagedError(f"{path}: {name}: dtype {entry['dtype']} is unknown")
        if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * item.itemsize:
            raise DamagedError(
                f"{path}: {name}: bytes {begin} to {end} of {len(data)} do not hold {shape}"
            )
        yield name, np.frombuffer(data[begin:end], item).reshape(shape)
