"""Write safetensors, whole or not at all."""

import json
import os
import shutil
import struct
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..files import PARTIAL, make_folder, sync_folder, write_whole

WEIGHTS, CONFIG = "model.safetensors", "config.json"
FORMAT = 1  # of config.json


def pack(tensors):
    """Return the bytes of a safetensors file of {name: Tensor}."""
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
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *data])


def check_out(source, out, is_folder):
    """Raise OSError/ValueError unless `out` can be written and is not `source`."""
    out = Path(out)
    if out.exists():
        same = Path(source).exists() and os.path.samefile(source, out)
        raise FileExistsError(
            f"{out}: {'is the file to read' if same else 'exists'}, expected a new name"
        )
    if not is_folder and out.suffix != ".safetensors":
        raise ValueError(f"{out}: expected a name that ends in .safetensors")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise FileNotFoundError(f"{out}: {parent} is no folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{out}: {parent} cannot be written to")


def write_file(path, tensors):
    """Write a safetensors file that appears when it is whole."""
    with _removed_on_error(_partial(path)):
        write_whole(path, pack(tensors))


def write_folder(folder, tensors, arguments):
    """Write config.json and model.safetensors into a new folder, which appears when both are whole."""
    config = {
        "format": FORMAT,
        "architecture": arguments.architecture,
        "arguments": dict(arguments.values),
        "preprocessing": None,
        "classes": None,
    }
    partial = _partial(folder)
    with _removed_on_error(partial):
        make_folder(partial)
        write_whole(partial / CONFIG, json.dumps(config, indent=2) + "\n")
        write_whole(partial / WEIGHTS, pack(tensors))
        os.rename(partial, folder)
    sync_folder(partial.parent)


def _partial(path):
    path = Path(path).absolute()
    return path.with_name(path.name + PARTIAL)


@contextmanager
def _removed_on_error(partial):
    """Remove what is not whole, also what an earlier process left."""
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)
        raise
