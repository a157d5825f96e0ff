"""What the files beside the weights tell of images and classes: mean, deviation, resizing, names.

Of this project and of timm it is config.json, of transformers also preprocessor_config.json.
"""

from pathlib import Path
from typing import NamedTuple

from numpy_ref.model_folder import CONFIG, naming
from numpy_ref.preprocessing import as_preprocessing, check_classes

from ..fields import is_list, is_number, is_text
from .config_beside import folder_of
from .reading import read_object
from .resizing import of_timm, of_transformers

PREPROCESSOR = "preprocessor_config.json"
UNNAMED = "LABEL_"  # and the number: what transformers calls a class without a name


class Images(NamedTuple):
    """moments: {"mean", "std"} per channel, of images in [0, 1], or None. classes: names, or None.

    resizing: {"crop_pct", "interpolation"} as far as they are told. also: {field: value} that is told
        and has no place here. paths: the files that tell these.
    """

    moments: dict | None = None
    classes: list | None = None
    paths: tuple[Path, ...] = ()
    resizing: dict = {}  # noqa: RUF012
    also: dict = {}  # noqa: RUF012


def images_beside(source):
    """Return the Images that a folder tells; raises ValueError naming the file and the field."""
    folder = folder_of(source)
    if folder is None:
        return Images()
    paths = folder / CONFIG, folder / PREPROCESSOR
    config, processor = map(read_object, paths)
    if processor or "model_type" in config:
        with naming(paths[1]):
            moments = _rescaled(processor)
        with naming(paths[0]):
            classes = _names("id2label", config.get("id2label"))
        if classes == [f"{UNNAMED}{n}" for n in range(len(classes or ()))]:
            classes = None
        return Images(moments, classes, paths[::-1], *of_transformers(processor))
    if isinstance(config.get("arguments"), dict):
        about = config.get("preprocessing") or {}
        return Images(_moments(about), config.get("classes"), paths[:1] * 2, *of_timm(about))
    trained = config.get("pretrained_cfg")
    trained = trained if isinstance(trained, dict) else config
    with naming(paths[0]):
        classes = _names("label_names", config.get("label_names", trained.get("label_names")))
    return Images(_moments(trained), classes, paths[:1] * 2, *of_timm(trained))


def fitting(images, arguments):
    """Return ({"mean", …} or None, classes or None, lines) as the folder of a model has them.

    arguments: of the constructor. lines: for people, what is from where.
    Raises ValueError naming the file and what does not fit the model.
    """
    preprocessing, classes, lines, also = None, None, [], images.resizing | images.also
    if images.moments is not None:
        with naming(images.paths[0]):
            preprocessing = as_preprocessing(images.moments | images.resizing, arguments)
        mean, std = (_short(preprocessing[name]) for name in ("mean", "std"))
        lines.append(f"mean {mean} and std {std} from {images.paths[0].name}")
        if images.resizing:
            lines.append(f"{_listed(images.resizing)} from {images.paths[0].name}")
        also = images.also
    if images.classes is not None:
        with naming(images.paths[1]):
            classes = check_classes(images.classes, arguments)
        lines.append(f"{len(classes)} classes from {images.paths[1].name}, {classes[0]} first")
    if also:
        lines.append(f"not kept of {images.paths[0].name}: {_listed(also)}; prepare images that way")
    return preprocessing, classes, lines


def _moments(config):
    """Return the mean and standard deviation of a config, None unless it has both."""
    found = {name: (config or {}).get(name) for name in ("mean", "std")}
    return None if None in found.values() else found


def _rescaled(processor):
    """Return the mean and std of images in [0, 1]; transformers' are of rescale_factor · uint8."""
    moments = _moments({name: processor.get(f"image_{name}") for name in ("mean", "std")})
    factor = processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1
    if not is_number(factor) or factor <= 0:
        raise ValueError(f"rescale_factor is {factor!r}, expected a positive number")
    if moments is None or not all(is_list(values, is_number) for values in moments.values()):
        return moments  # `as_preprocessing` says what does not fit
    if not processor.get("do_normalize", True):
        moments = {"mean": [0.0] * len(moments["mean"]), "std": [1.0] * len(moments["std"])}
    return {name: [value / (255 * factor) for value in values] for name, values in moments.items()}


def _names(field, given):
    """Return the names of the classes, from a list or from {number: name}; None if there are none."""
    if not given:
        return None
    names = given
    if isinstance(given, dict):
        names = [given.get(str(n)) for n in range(len(given))]
    if not isinstance(names, list) or not all(map(is_text, names)):
        raise ValueError(f"{field} is {str(given)[:60]}, expected a name for each class from 0 on")
    return names


def _listed(fields):
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def _short(numbers):
    return ", ".join(f"{number:.4g}" for number in numbers)
