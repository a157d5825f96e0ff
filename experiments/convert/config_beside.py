"""What a config.json beside the weights tells of a model: this project's, transformers' or timm's."""

import json
from pathlib import Path

from ..fields import is_int
from .reading import INDEX

CONFIG = "config.json"
OPTIONS = ("img_size", "window_size", "pretrained_window_sizes", "norm_eps")


def options_beside(source):
    """Return {option: value} of the config.json in a folder, or beside an index.json of shards.

    A file alone has none: its folder may hold others. Raises ValueError naming the file and the field.
    """
    source = Path(source)
    is_index = source.name.endswith(INDEX.removeprefix("*"))
    path = (source.parent if is_index else source) / CONFIG
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: is a {type(config).__name__}, expected an object")
    return {
        name: _checked(path, name, value) for name, value in _told(config).items() if value is not None
    }


def _told(config):
    """Return the options under their names here; a field that is not there is None."""
    if isinstance(config.get("arguments"), dict):
        return {name: config["arguments"].get(name) for name in OPTIONS}
    if "model_type" in config:
        theirs = ("image_size", "window_size", "pretrained_window_sizes", "layer_norm_eps")
        return {name: config.get(their) for name, their in zip(OPTIONS, theirs, strict=True)}
    trained = config.get("pretrained_cfg")
    size = trained.get("input_size") if isinstance(trained, dict) else None
    return {"img_size": size[1:] if isinstance(size, list) else None}


def _checked(path, name, value):
    """Return a field as an option; raises ValueError naming the file."""
    try:
        if name == "pretrained_window_sizes" and isinstance(value, list):
            return [of if of == 0 else list(as_pair(name, of)) for of in value]
        return as_eps(value) if name == "norm_eps" else as_pair(name, value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def as_eps(value):
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"norm_eps is {value!r}, expected a number between 0 and 1")
    return value


def as_pair(name, value):
    """Return one or two lengths as (height, width)."""
    lengths = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(lengths) not in (1, 2) or not all(is_int(length, 1) for length in lengths):
        raise ValueError(f"{name} is {value!r}, expected one or two positive integers")
    return lengths[0], lengths[-1]
