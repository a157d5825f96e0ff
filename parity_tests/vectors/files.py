"""Read and write safetensors files: written whole or not at all, and refused if damaged.

The bytes depend only on the tensors, not on the version of the library safetensors. NumPy has no
bfloat16, so bfloat16 tensors are written from float64 arrays whose values bfloat16 can represent. All
floats are read as float64.
"""

import hashlib
import json
import math
import os

import numpy as np

ITEM = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}
STORED = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def packed(tensors):
    """Return a safetensors file of {name: (array, dtype)}, e.g. "BF16", in the order of the names."""
    header, pieces, end = {}, [], 0
    for name in sorted(tensors):
        array, dtype = tensors[name]
        piece = _bytes(np.asarray(array), dtype)
        header[name] = {"dtype": dtype, "shape": [*array.shape], "data_offsets": [end, end + len(piece)]}
        pieces.append(piece)
        end += len(piece)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(pieces)


def unpacked(content, place):
    """Return {name: array} of a safetensors file; place: its name, for messages. Raises ValueError."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        return {name: _array(content[8 + length :], **entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{place}: no whole safetensors file ({error})") from None


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def write_whole(path, content):
    """Write bytes beside the file, flush them to disk, then put them in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _bytes(array, dtype):
    """Return the array's bytes; raises ValueError if the dtype cannot hold its values."""
    if dtype == "BF16":
        bits = array.astype(np.float32).view(np.uint32)
        stored, back = (bits >> 16).astype("<u2"), (bits & 0xFFFF0000).view(np.float32)
    else:
        stored = back = array.astype(ITEM[dtype])
    if not np.array_equal(back, array):
        raise ValueError(f"{dtype} cannot hold the values of an array of {array.dtype}")
    return stored.tobytes()


def _array(data, dtype, shape, data_offsets):
    start, end = data_offsets
    item = np.dtype(ITEM[dtype])
    if not 0 <= start <= end <= len(data) or end - start != item.itemsize * math.prod(shape):
        raise ValueError(f"data_offsets {data_offsets} for shape {shape}, {len(data)} bytes of data")
    array = np.frombuffer(data[start:end], item).reshape(shape)
    if dtype == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.int64 if dtype == "I64" else np.float64)
