"""A model's folder: config.json says how to build it, model.safetensors holds its parameters.

config.json: {"format": 1, "architecture": the class, "arguments": of its constructor, "preprocessing":
null or {"image_size": [h, w], "in_chans", "mean", "std"}, "classes": null or their names, "sha256"}.
sha256 is of the other fields and of model.safetensors; a file without it is taken unchecked.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from .types import Array

CONFIG, TENSORS = "config.json", "model.safetensors"
FORMAT = 1
FIELDS = ("format", "architecture", "arguments", "preprocessing", "classes")
DIGEST = "sha256"
DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


class ModelFolder(NamedTuple):
    """What a folder holds; half precision as float32, with the same values.

    tensors: {name: array}. dtypes: {name: the dtype in the file}.
    """

    config: dict[str, Any]
    tensors: dict[str, Array]
    dtypes: dict[str, str]


def as_folder(folder: Any) -> Path:
    """Return the folder's absolute path, without links; raises TypeError for what is no path."""
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder is {folder!r}, expected a path")
    return Path(os.path.realpath(folder))


def write(folder: Any, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    """Write the folder under another name, flush it to disk, and rename it: it is whole or not there.

    config: the fields but sha256. tensors: {name: contiguous float32 or float64}.
    Raises FileExistsError if the folder exists and is not empty, ImportError without safetensors.
    """
    folder = as_folder(folder)
    check_free(folder)
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise ImportError(_needed(folder)) from error
    content = save(dict(tensors))
    text = json.dumps({**config, DIGEST: digest(config, content)}, indent=1, allow_nan=False) + "\n"
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.{uuid4().hex}.part")
    partial.mkdir()
    try:
        _write_file(partial / TENSORS, content)
        _write_file(partial / CONFIG, text.encode())
        _sync(partial)
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _sync(folder.parent)


def check_free(folder: Path) -> None:
    """Raise FileExistsError unless the folder is new or empty."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists, expected a new or an empty folder")


def read(folder: Any) -> ModelFolder:
    """Read a folder that either twin or another program wrote.

    Raises FileNotFoundError, or ValueError naming the file and the field or tensor that does not fit;
    ImportError without safetensors.
    """
    folder = as_folder(folder)
    config = _read_config(folder / CONFIG)
    path = folder / TENSORS
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise ImportError(_needed(folder)) from error
    content = _read_file(path)
    if config.pop(DIGEST, None) not in (None, digest(config, content)):
        raise ValueError(
            f"{path}, or {CONFIG} beside it, has changed since it was written: the {DIGEST} differs"
        )
    try:
        entries: list[tuple[str, dict[str, Any]]] = deserialize(content)
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged, or no safetensors file ({error})") from error
    dtypes: dict[str, str] = {}
    for name, entry in entries:
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} is {entry['dtype']}, expected one of {', '.join(DTYPES)}")
        dtypes[name] = DTYPES[entry["dtype"]]
    return ModelFolder(config, {name: _as_array(entry) for name, entry in entries}, dtypes)


def digest(config: Mapping[str, Any], content: bytes) -> str:
    """Return the SHA-256 of the fields, as sorted JSON, and of the bytes of model.safetensors."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode() + content).hexdigest()


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Turn what does not fit in a file into a ValueError that names the file."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_config(path: Path) -> dict[str, Any]:
    content = _read_file(path)
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} is {config!r}, expected an object with {', '.join(FIELDS)}")
    if config.get("format", FORMAT) != FORMAT:
        raise ValueError(f"{path}: format is {config['format']!r}, this version reads {FORMAT}")
    missing, unexpected = sorted({*FIELDS} - {*config}), sorted({*config} - {*FIELDS, DIGEST})
    if missing or unexpected:
        raise ValueError(f"{path}: missing {missing}, unexpected {unexpected}")
    if not isinstance(config["arguments"], dict):
        raise ValueError(f"{path}: arguments is {config['arguments']!r}, expected an object")
    return config


def _read_file(path: Path) -> bytes:
    if not path.is_file():  # opening a pipe would wait for ever
        raise FileNotFoundError(f"{path}: no such file, expected {CONFIG} and {TENSORS} in the folder")
    return path.read_bytes()


def _as_array(entry: Mapping[str, Any]) -> Array:
    """Return an entry of a safetensors file as float32 or float64."""
    data, kind = entry["data"], entry["dtype"]
    if kind == "BF16":  # the upper half of a float32
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    else:
        array = np.frombuffer(data, f"<f{int(kind[1:]) // 8}")
    wide = np.float64 if kind == "F64" else np.float32
    return array.reshape(entry["shape"]).astype(wide)


def _write_file(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _needed(folder: Path) -> str:
    return f"{folder}: model folders need the package safetensors: pip install safetensors"
