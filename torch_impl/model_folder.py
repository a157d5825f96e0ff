"""A model's folder: config.json says how to build it, model.safetensors holds its parameters.

config.json: {"format": 1, "architecture": the class, "arguments": of its constructor, "preprocessing":
null or {"image_size": [h, w], "in_chans", "mean", "std"}, "classes": null or their names, "sha256"}.
sha256 is of the other fields and of model.safetensors; a file without it is taken unchecked.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

CONFIG, TENSORS = "config.json", "model.safetensors"
FORMAT = 1
FIELDS = {"format", "architecture", "arguments", "preprocessing", "classes"}


class ModelFolder(NamedTuple):
    """What a folder holds: the fields of config.json but sha256, and {name: tensor}."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]


def as_folder(folder: Any) -> Path:
    """Return the folder's absolute path, without links; raises TypeError for what is no path."""
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder is {folder!r}, expected a path")
    return Path(folder).resolve()


def check_free(folder: Path) -> None:
    """Raise FileExistsError unless the folder is new or empty."""
    taken = folder.exists() or folder.is_symlink()
    if taken and (not folder.is_dir() or os.listdir(folder)):
        raise FileExistsError(f"{folder} exists, expected a new or an empty folder")


def write(folder: Any, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write the folder under another name, flush it to disk, and rename it: it is whole or not there.

    config: the fields but sha256. tensors: {name: floating tensor}.
    Raises FileExistsError if the folder exists and is not empty, ImportError without safetensors.
    """
    target = as_folder(folder)
    check_free(target)
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise ImportError(_needed(target)) from error
    content = save({name: t.detach().contiguous().to("cpu", copy=True) for name, t in tensors.items()})
    signed = dict(config) | {"sha256": digest(config, content)}
    files = {TENSORS: content, CONFIG: (json.dumps(signed, indent=1, allow_nan=False) + "\n").encode()}
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f"{target.name}.{uuid.uuid4().hex}.part"
    try:
        _fill(partial, files)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush(target.parent)


def read(folder: Any) -> ModelFolder:
    """Read a folder that either twin or another program wrote.

    Raises FileNotFoundError, or ValueError naming the file and the field or tensor that does not fit;
    ImportError without safetensors.
    """
    source = as_folder(folder)
    config = _fields(source / CONFIG)
    path = source / TENSORS
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError as error:
        raise ImportError(_needed(source)) from error
    content = _content(path)
    signature = config.pop("sha256", None)
    if signature is not None and signature != digest(config, content):
        raise ValueError(
            f"{path}, or {CONFIG} beside it, has changed since it was written: the sha256 differs"
        )
    try:
        tensors = load(content)
    except (SafetensorError, KeyError) as error:  # the latter for a dtype that PyTorch lacks
        raise ValueError(f"{path}: damaged, or no safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(f"{path}: {name} is {tensor.dtype}, expected a floating dtype")
    return ModelFolder(config, tensors)


def digest(config: Mapping[str, Any], content: bytes) -> str:
    """Return the SHA-256 of the fields, as sorted JSON, and of the bytes of model.safetensors."""
    sha256 = hashlib.sha256()
    sha256.update(json.dumps(config, sort_keys=True).encode())
    sha256.update(content)
    return sha256.hexdigest()


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Turn what does not fit in a file into a ValueError that names the file."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _fields(path: Path) -> dict[str, Any]:
    """Read config.json, whose fields must be those of this format."""
    try:
        config = json.loads(_content(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} is {config!r}, expected an object with {', '.join(sorted(FIELDS))}")
    if "format" in config and config["format"] != FORMAT:
        raise ValueError(f"{path}: format is {config['format']!r}, this version reads {FORMAT}")
    missing, unexpected = FIELDS - config.keys(), config.keys() - FIELDS - {"sha256"}
    if missing or unexpected:
        raise ValueError(f"{path}: missing {sorted(missing)}, unexpected {sorted(unexpected)}")
    if not isinstance(config["arguments"], dict):
        raise ValueError(f"{path}: arguments is {config['arguments']!r}, expected an object")
    return config


def _content(path: Path) -> bytes:
    if not path.is_file():  # opening a pipe would wait for ever
        raise FileNotFoundError(f"{path}: no such file, expected {CONFIG} and {TENSORS} in the folder")
    return path.read_bytes()


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files and flush it to disk."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
        _flush(folder / name)
    _flush(folder)


def _flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _needed(folder: Path) -> str:
    return f"{folder}: model folders need the package safetensors: pip install safetensors"
