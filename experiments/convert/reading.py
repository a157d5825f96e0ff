"""Read a checkpoint as {name: Tensor}: safetensors, shards of safetensors, or torch.save."""

import json
import pickle
import re
from pathlib import Path

import numpy as np

from numpy_ref import model_folder
from numpy_ref.model_folder import naming

from .packing import DAMAGED, unpack
from .tensors import BITS, CODES, PLAIN, Tensor

INDEX = "*.safetensors.index.json"
TORCH = (".pth", ".pt", ".bin")
NESTED = ("model", "state_dict", "model_state_dict", "model_state", "module", "model_ema")
# What torch.load says when it meets anything but tensors and plain containers.
CODE = re.compile(r"GLOBAL \S+|call reduce for [^\n]+|instantiate [^\n]+|[Cc]an only build [^\n]+")


def read(path):
    """Return ({name: Tensor}, remarks) of a file, or of the one in a folder.

    remarks: lines on what else is in the file. Raises FileNotFoundError, or ValueError naming the file.
    """
    path = Path(path)
    if path.is_dir():
        path = _file_in(path)
        if path.name == model_folder.TENSORS:
            _check_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.name.endswith(".index.json"):
        return _read_shards(path), []
    if path.suffix == ".safetensors":
        return _read_safetensors(path), []
    if path.suffix in TORCH:
        return _read_torch(path)
    raise ValueError(
        f"{path}: expected a file .safetensors, .index.json, {', '.join(TORCH)}, or a folder"
    )


def read_object(path):
    """Return the dict in a JSON file, an empty one without the file; raises ValueError naming it."""
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: is a {type(config).__name__}, expected an object")
    return config


def _file_in(folder):
    """Return the one checkpoint in a folder."""
    for pattern in (INDEX, "*.safetensors", "*.bin", "*.pth", "*.pt"):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"{folder} has {' and '.join(f.name for f in found[:2])}, expected one: name the file"
            )
    raise FileNotFoundError(f"{folder}: no checkpoint in this folder")


def _check_folder(path):
    """Raise ValueError if a config.json of this project has the digest of another file."""
    config = read_object(path.with_name(model_folder.CONFIG))
    digest = config.pop(model_folder.DIGEST, None)
    if "arguments" in config and digest not in (None, model_folder.digest(config, path.read_bytes())):
        raise ValueError(
            f"{path}, or {model_folder.CONFIG} beside it, has changed since it was written: the "
            f"{model_folder.DIGEST} differs"
        )


def _read_shards(path):
    """Read the files that an index.json lists; each has to have the tensors that the index says."""
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        files = sorted(set(places.values()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: no index of shards ({error})") from error
    for file in files:
        if not isinstance(file, str) or Path(file).name != file:
            raise ValueError(f"{path}: lists the file {file!r}, expected one of its own folder")
        if not (path.parent / file).is_file():
            raise FileNotFoundError(f"{path}: lists {file}, which does not exist")
    tensors = {}
    for file in files:
        shard = _read_safetensors(path.parent / file)
        listed = {name for name, place in places.items() if place == file}
        if listed != shard.keys():
            wrong = sorted(listed ^ shard.keys())[0]
            where = "lacks" if wrong in listed else "has"
            raise ValueError(f"{path.parent / file}: {where} {wrong}, other than {path.name} says")
        tensors |= shard
    return tensors


def _read_safetensors(path):
    with naming(path):
        return unpack(path.read_bytes())


def _read_torch(path):
    """Read a file of torch.save that holds tensors and plain containers only."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = CODE.search(str(error))
        if code:
            raise ValueError(
                f"{path}: refused, its pickle holds more than tensors: {code[0]}"
            ) from error
        raise ValueError(f"{path}: {DAMAGED}") from error
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise ValueError(f"{path}: {DAMAGED} ({error})") from error
    state, remarks = _state_dict(path, content, torch)
    return {name: _from_torch(path, name, value, torch) for name, value in state.items()}, remarks


def _state_dict(path, content, torch):
    """Return the dict of tensors in what was loaded, which may be nested, and where it was."""
    way = []
    while isinstance(content, dict):
        if any(isinstance(value, torch.Tensor) for value in content.values()):
            return content, [f"from {'.'.join(way)} in the file"] if way else []
        key = next((key for key in NESTED if isinstance(content.get(key), dict)), None)
        if key is None:
            break
        way.append(key)
        content = content[key]
    came = (
        f"a dict of {', '.join(map(str, list(content)[:3]))}"
        if isinstance(content, dict)
        else type(content).__name__
    )
    raise ValueError(f"{path}: holds {came}, expected a state dict, also under {', '.join(NESTED)}")


def _from_torch(path, name, value, torch):
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        raise ValueError(f"{path}: {name} is {type(value).__name__}, expected a dense tensor")
    value = value.detach()
    if value.dtype == torch.bfloat16:
        return Tensor("BF16", value.view(torch.int16).numpy().view(np.uint16))
    codes = {torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"}
    if value.dtype in codes:
        return Tensor(codes[value.dtype], value.view(torch.uint8).numpy())
    array = value.numpy()
    if array.dtype not in CODES:
        raise ValueError(
            f"{path}: {name} has dtype {value.dtype}, expected one of {', '.join(PLAIN | BITS)}"
        )
    return Tensor(CODES[array.dtype], array)
