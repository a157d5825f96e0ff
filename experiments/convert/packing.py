"""The content of a safetensors file: from and to {name: Tensor}, with a digest that tells damage."""

import hashlib
import json
import struct
from operator import itemgetter

import numpy as np
from safetensors import SafetensorError, deserialize

from .tensors import BITS, PLAIN, Tensor

DIGEST = "rpb_sha256"  # in the file's metadata, which other libraries ignore
DAMAGED = "damaged, or no checkpoint"


def pack(tensors):
    """Return the bytes of a safetensors file of {name: Tensor}, its digest in the metadata."""
    header, start, data = {}, 0, []
    for name, (code, array) in sorted(tensors.items()):
        content = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": code,
            "shape": array.shape,
            "data_offsets": (start, start + len(content)),
        }
        start += len(content)
        data.append(content)
    metadata = {"format": "pt", DIGEST: digest(header, data)}
    text = json.dumps({"__metadata__": metadata} | header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *data])


def unpack(content):
    """Return {name: Tensor} of a safetensors file; raises ValueError, also if the digest differs.

    A file without a digest is taken unchecked.
    """
    try:
        found = deserialize(content)
    except SafetensorError as error:
        raise ValueError(f"{DAMAGED} ({error})") from error
    start = 8 + struct.unpack_from("<Q", content)[0]
    header = json.loads(content[8:start])
    expected = header.pop("__metadata__", {}).get(DIGEST)
    if expected is not None and expected != digest(header, [memoryview(content)[start:]]):
        raise ValueError(f"has changed since it was written: the {DIGEST} in its metadata differs")
    return {name: _tensor(name, entry) for name, entry in sorted(found, key=itemgetter(0))}


def digest(header, data):
    """Return the SHA-256 of the names, dtypes, shapes and places, as sorted JSON, and of the data."""
    sha256 = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for piece in data:
        sha256.update(piece)
    return sha256.hexdigest()


def _tensor(name, entry):
    dtype = (PLAIN | BITS).get(entry["dtype"])
    if dtype is None:
        raise ValueError(f"{name} has dtype {entry['dtype']}, expected one of {', '.join(PLAIN | BITS)}")
    return Tensor(entry["dtype"], np.frombuffer(entry["data"], dtype).reshape(entry["shape"]))
