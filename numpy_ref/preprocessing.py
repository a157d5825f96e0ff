"""From an image's bytes to what a model takes: the size, the mean and the standard deviation."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np

from .checks import as_number, as_sizes, check_choice, check_positive_int
from .types import Array, SizeLike

SLACK = 1e-3  # allowed outside [0, 1], for rounding in a resize
INTERPOLATIONS = ("bilinear", "bicubic")


class Preprocessing(TypedDict):
    """What is done to an image before the model sees it.

    mean, std: per channel, of images in [0, 1].
    image_size, in_chans: the model's by default.
    crop_pct, interpolation: how an image of another size is resized, in timm's terms. `classify` does
        not resize; whoever does reads these. Without crop_pct the whole image is resized.
    """

    mean: Sequence[float]
    std: Sequence[float]
    image_size: NotRequired[SizeLike]
    in_chans: NotRequired[int]
    crop_pct: NotRequired[float]
    interpolation: NotRequired[str]


def as_preprocessing(given: Any, arguments: Mapping[str, Any]) -> Preprocessing:
    """Return the fields in JSON's types; a missing size comes from the model's arguments.

    Raises TypeError/ValueError naming the field that does not fit.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"preprocessing is {given!r}, expected mean, std, image_size, in_chans")
    known = {*Preprocessing.__required_keys__, *Preprocessing.__optional_keys__}
    missing, unknown = sorted({"mean", "std"} - {*given}), sorted({*given} - known)
    if missing or unknown:
        raise ValueError(f"preprocessing: missing {missing}, unexpected {unknown}")
    chans = check_positive_int(
        **{"preprocessing.in_chans": given.get("in_chans", arguments["in_chans"])}
    )
    if chans != arguments["in_chans"]:
        raise ValueError(f"preprocessing.in_chans is {chans}, the model has {arguments['in_chans']}")
    size = as_sizes("preprocessing.image_size", given.get("image_size", arguments["img_size"]), 2)
    own = as_sizes("img_size", arguments["img_size"], 2)
    if size != own and arguments.get("strict_img_size", True):
        raise ValueError(f"preprocessing.image_size is {size}, the model takes {own}")
    fields: Preprocessing = {
        "image_size": list(size),
        "in_chans": chans,
        "mean": _per_channel("preprocessing.mean", given["mean"], chans, "(-inf, inf)"),
        "std": _per_channel("preprocessing.std", given["std"], chans, "(0, inf)"),
    }
    if "crop_pct" in given:
        fields["crop_pct"] = as_number("preprocessing.crop_pct", given["crop_pct"], "(0, 1]")
    if "interpolation" in given:
        check_choice("preprocessing.interpolation", given["interpolation"], INTERPOLATIONS)
        fields["interpolation"] = given["interpolation"]
    return fields


def check_classes(classes: Any, arguments: Mapping[str, Any]) -> list[str]:
    """Return the names as a list; raises TypeError/ValueError unless there is one for each class."""
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise TypeError(f"classes is {classes!r}, expected the names of the classes")
    if not all(isinstance(name, str) for name in classes):
        raise TypeError(f"classes is {classes!r}, expected texts")
    if len(classes) != arguments["num_classes"]:
        raise ValueError(f"classes has {len(classes)} names, the model has {arguments['num_classes']}")
    return list(classes)


def standardised(images: Any, preprocessing: Mapping[str, Any]) -> Array:
    """Return (images / 255 − mean) / std per channel, as (N, in_chans, h, w) float32.

    images: uint8, or floats in [0, 1] that are not divided: one image or several, see `classify`.
    """
    if not isinstance(images, np.ndarray) or isinstance(images, np.ma.MaskedArray):
        raise TypeError(f"images is a {type(images).__name__}, expected a NumPy array")
    images = np.asarray(images)  # a subclass, such as np.matrix, has rules of its own
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(f"images has dtype {images.dtype}, expected uint8, or floats in [0, 1]")
    (height, width), chans = preprocessing["image_size"], preprocessing["in_chans"]
    one = [(height, width, chans), *([(height, width)] if chans == 1 else [])]
    if images.shape in one:
        images = images[None]
    if images.shape[1:] not in one or not len(images):
        expected = " or ".join(map(str, one))
        raise ValueError(f"images has shape {images.shape}, expected {expected}, or several of these")
    images = images.reshape(len(images), height, width, chans).transpose(0, 3, 1, 2)
    if images.dtype == np.uint8:
        intensity = images.astype(np.float32) / np.float32(255)
    else:
        if not (images.min() >= -SLACK and images.max() <= 1 + SLACK):
            raise ValueError(f"images has values in [{images.min()}, {images.max()}], expected [0, 1]")
        intensity = images.astype(np.float32)
    mean, std = (np.array(preprocessing[name], np.float32)[:, None, None] for name in ("mean", "std"))
    return np.ascontiguousarray((intensity - mean) / std)


def _per_channel(name: str, values: Any, chans: int, interval: str) -> list[float]:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != chans:
        raise ValueError(f"{name} is {values!r}, expected a number for each of {chans} channels")
    return [as_number(name, value, interval) for value in values]
