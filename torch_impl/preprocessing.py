"""From an image's bytes to what a model takes: the size, the mean and the standard deviation."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from .checks import as_number, as_sizes, check_choice, check_positive_int
from .types import SizeLike

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
    missing, unknown = (
        {"mean", "std"} - given.keys(),
        given.keys() - Preprocessing.__annotations__.keys(),
    )
    if missing or unknown:
        raise ValueError(f"preprocessing: missing {sorted(missing)}, unexpected {sorted(unknown)}")
    field = {"image_size": arguments["img_size"], "in_chans": arguments["in_chans"], **given}
    chans = check_positive_int(**{"preprocessing.in_chans": field["in_chans"]})
    if chans != arguments["in_chans"]:
        raise ValueError(f"preprocessing.in_chans is {chans}, the model has {arguments['in_chans']}")
    size = as_sizes("preprocessing.image_size", field["image_size"], 2)
    own = as_sizes("img_size", arguments["img_size"], 2)
    if size != own and arguments.get("strict_img_size", True):
        raise ValueError(f"preprocessing.image_size is {size}, the model takes {own}")
    mean = _channels("preprocessing.mean", field["mean"], chans, "(-inf, inf)")
    std = _channels("preprocessing.std", field["std"], chans, "(0, inf)")
    fields: Preprocessing = {"image_size": list(size), "in_chans": chans, "mean": mean, "std": std}
    return _with_resizing(fields, given)


def check_classes(classes: Any, arguments: Mapping[str, Any]) -> list[str]:
    """Return the names as a list; raises TypeError/ValueError unless there is one for each class."""
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise TypeError(f"classes is {classes!r}, expected the names of the classes")
    if any(not isinstance(name, str) for name in classes):
        raise TypeError(f"classes is {classes!r}, expected texts")
    if len(classes) != arguments["num_classes"]:
        raise ValueError(f"classes has {len(classes)} names, the model has {arguments['num_classes']}")
    return list(classes)


def standardised(images: Any, preprocessing: Mapping[str, Any]) -> Tensor:
    """Return (images / 255 − mean) / std per channel, as (N, in_chans, h, w) float32.

    images: uint8, or floats in [0, 1] that are not divided: one image or several, see `classify`.
    """
    if not isinstance(images, np.ndarray) or isinstance(images, np.ma.MaskedArray):
        raise TypeError(f"images is a {type(images).__name__}, expected a NumPy array")
    images = np.asarray(images)  # a subclass, such as np.matrix, has rules of its own
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise TypeError(f"images has dtype {images.dtype}, expected uint8, or floats in [0, 1]")
    chans = preprocessing["in_chans"]
    size = (*preprocessing["image_size"], chans)
    shapes = [size, size[:2]] if chans == 1 else [size]
    batch = images[np.newaxis] if images.shape in shapes else images
    if not batch.size or batch.shape[1:] not in shapes:
        expected = " or ".join(map(str, shapes))
        raise ValueError(f"images has shape {images.shape}, expected {expected}, or several of these")
    if images.dtype != np.uint8 and not (images.min() >= -SLACK and images.max() <= 1 + SLACK):
        raise ValueError(f"images has values in [{images.min()}, {images.max()}], expected [0, 1]")
    x = torch.from_numpy(batch.astype(np.float32)).reshape(-1, *size).permute(0, 3, 1, 2)
    if images.dtype == np.uint8:
        x = x / 255
    mean, std = (torch.tensor(preprocessing[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return ((x - mean) / std).contiguous()


def _with_resizing(fields: Preprocessing, given: Mapping[str, Any]) -> Preprocessing:
    """Return the fields and those of crop_pct and interpolation that are given, checked."""
    if (name := "crop_pct") in given:
        fields["crop_pct"] = as_number(f"preprocessing.{name}", given[name], "(0, 1]")
    if (name := "interpolation") in given:
        check_choice(f"preprocessing.{name}", given[name], INTERPOLATIONS)
        fields["interpolation"] = given[name]
    return fields


def _channels(name: str, values: Any, chans: int, interval: str) -> list[float]:
    values = values.tolist() if isinstance(values, np.ndarray | Tensor) else values
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != chans:
        raise ValueError(f"{name} is {values!r}, expected a number for each of {chans} channels")
    return [as_number(name, value, interval) for value in values]
