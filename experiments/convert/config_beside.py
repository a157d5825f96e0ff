"""What a config.json beside the weights tells of a model: this project's, transformers' or timm's."""

from pathlib import Path

from numpy_ref.checks import check_bool
from numpy_ref.model_folder import CONFIG, naming

from ..fields import is_int
from .reading import INDEX, read_object

OPTIONS = ("img_size", "window_size", "pretrained_window_sizes", "norm_eps", "always_partition")
TRANSFORMERS = {"img_size": "image_size", "norm_eps": "layer_norm_eps"}  # the others have one name


def folder_of(source):
    """Return the folder whose files tell of the checkpoint, None for a file: its folder may hold others.

    It is the source, or that of an index.json of shards.
    """
    source = Path(source)
    if source.name.endswith(INDEX.removeprefix("*")):
        return source.parent
    return source if source.is_dir() else None


def options_beside(source):
    """Return {option: value} of the config.json in a folder; raises ValueError naming file and field."""
    folder = folder_of(source)
    if folder is None:
        return {}
    path = folder / CONFIG
    told = _told(read_object(path))
    return {name: _checked(path, name, value) for name, value in told.items() if value is not None}


def _told(config):
    """Return the options under their names here; a field that is not there is None."""
    if isinstance(config.get("arguments"), dict):
        return {name: config["arguments"].get(name) for name in OPTIONS}
    if "model_type" in config:
        return {name: config.get(TRANSFORMERS.get(name, name)) for name in OPTIONS}
    trained = config.get("pretrained_cfg")
    size = trained.get("input_size") if isinstance(trained, dict) else None
    return {"img_size": size[1:] if isinstance(size, list) else None}


def _checked(path, name, value):
    """Return a field as an option; raises ValueError naming the file."""
    with naming(path):
        if name == "pretrained_window_sizes" and isinstance(value, list):
            return [of if of == 0 else list(as_pair(name, of)) for of in value]
        if name == "always_partition":
            check_bool(always_partition=value)
            return value
        return as_eps(value) if name == "norm_eps" else as_pair(name, value)


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
