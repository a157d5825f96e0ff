"""Write a file of safetensors or the folder of a model, whole or not at all."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from numpy_ref.model_folder import CONFIG, DIGEST, FORMAT, TENSORS, digest

from ..files import PARTIAL, make_folder, sync_folder, write_whole
from .packing import pack


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


def write_folder(folder, tensors, arguments, preprocessing, classes):
    """Write config.json and model.safetensors into a new folder, which appears when both are whole."""
    config = {
        "format": FORMAT,
        "architecture": arguments.architecture,
        "arguments": dict(arguments.values),
        "preprocessing": preprocessing,
        "classes": classes,
    }
    content = pack(tensors)
    signed = config | {DIGEST: digest(config, content)}
    partial = _partial(folder)
    with _removed_on_error(partial):
        make_folder(partial)
        write_whole(partial / CONFIG, json.dumps(signed, indent=2) + "\n")
        write_whole(partial / TENSORS, content)
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
