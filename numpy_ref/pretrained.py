"""Models that are saved into a folder, loaded from it by either twin, and classify images."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np

from . import model_folder
from .checks import as_dtype, as_int, check_choice, check_state
from .dispatch import F
from .model_folder import CONFIG, FORMAT, TENSORS, as_folder, naming
from .module import Module
from .preprocessing import Preprocessing, as_preprocessing, check_classes, standardised
from .random import as_generator
from .types import Array, DTypeLike, Generator

OWN = ("dtype", "generator")  # arguments that the parameters decide, or that are not stored
NEEDED = ("img_size", "in_chans", "num_classes", *OWN)


class Classification(NamedTuple):
    """The most probable class of each image, and the probabilities (N, num_classes)."""

    names: list[str]
    probabilities: Array


class Pretrained(Module):
    """The base class of whole models, which can be saved and loaded.

    The constructor has its arguments by name, among them img_size, in_chans, num_classes, dtype and
    generator.

    arguments: of the constructor, with defaults, in JSON's types; without dtype and generator.
    preprocessing: {"image_size", "in_chans", "mean", "std"} of the images, and "crop_pct" and
        "interpolation" where they are known; None if nothing is.
    classes: the names of the classes, None if not known.
    """

    preprocessing: Preprocessing | None = None
    classes: Sequence[str] | None = None
    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        with suppress(TypeError):  # __init__ says what does not fit
            bound = inspect.signature(cls).bind(*args, **kwargs)
            bound.apply_defaults()
            self.arguments = _plain(bound.arguments)
        return self

    def save_pretrained(
        self,
        folder: Any,
        preprocessing: Preprocessing | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        """Write config.json and model.safetensors into a new folder, whole or not at all.

        folder: a path; the folder must not exist, or be empty.
        preprocessing: {"mean", "std"} per channel, of images in [0, 1]; "image_size" and "in_chans" are
            the model's unless given; "crop_pct" and "interpolation" may be left out. By default
            `self.preprocessing`.
        classes: the name of each class. By default `self.classes`.
        Raises TypeError/ValueError naming what does not fit, also parameters other than those that the
        arguments make; FileExistsError for a folder that is not empty. Needs safetensors.
        """
        _check_constructor(type(self))
        state = self.state_dict()
        arguments = self.arguments | {"dtype": _dtype_of(state)}
        fresh = type(self)(**arguments)
        check_state({name: a.shape for name, a in fresh.state_dict().items()}, state)
        given = self.preprocessing if preprocessing is None else preprocessing
        names = self.classes if classes is None else classes
        config = {
            "format": FORMAT,
            "architecture": type(self).__name__,
            "arguments": arguments,
            "preprocessing": None if given is None else as_preprocessing(given, arguments),
            "classes": None if names is None else check_classes(names, arguments),
        }
        model_folder.write(folder, config, state)

    @classmethod
    def from_pretrained(
        cls, folder: Any, dtype: DTypeLike | None = None, generator: Generator | None = None
    ) -> Self:
        """Load a model of this class that either twin saved, in evaluation mode.

        dtype: of the model, by default that of the file; the parameters are converted to it.
        generator: of the draws in training.
        Raises FileNotFoundError, or ValueError naming the file and what does not fit in it. Half
        precision, which this twin lacks, is read only into a dtype that is given. Needs safetensors.
        """
        return _load(folder, {cls.__name__: cls}, dtype, generator)

    def classify(self, images: Array, batch_size: int = 256) -> Classification:
        """Return the most probable class and all probabilities (float64) of images, in evaluation mode.

        images: uint8, or floats in [0, 1], of the size in `preprocessing`: (h, w, in_chans), or (h, w)
            if in_chans is 1, or several as (N, …).
        batch_size: images at a time.
        A class without a name is named by its number. Raises TypeError/ValueError for other images, and
        ValueError if `preprocessing` is None.
        """
        _check_constructor(type(self))
        if self.preprocessing is None:
            raise ValueError("preprocessing is None, expected {'mean': [...], 'std': [...]}")
        if self.arguments.get("features_only") or not self.arguments["num_classes"]:
            raise ValueError("the model has no classes: it was built for features")
        batch_size = as_int("batch_size", batch_size, 1)
        images = standardised(images, as_preprocessing(self.preprocessing, self.arguments))
        names = [str(n) for n in range(self.arguments["num_classes"])]
        names = names if self.classes is None else check_classes(self.classes, self.arguments)
        dtype = self.parameters()[0].data.dtype
        self.eval()
        logits = [
            self(images[start : start + batch_size].astype(dtype, copy=False))
            for start in range(0, len(images), batch_size)
        ]
        probabilities, _ = F.softmax_forward(np.concatenate(logits).astype(np.float64))
        best: list[int] = probabilities.argmax(-1).tolist()
        return Classification([names[n] for n in best], probabilities)


def from_pretrained(
    folder: Any, dtype: DTypeLike | None = None, generator: Generator | None = None
) -> Pretrained:
    """Load the model in a folder, whichever class it is of; else as the class's `from_pretrained`."""
    return _load(folder, {k.__name__: k for k in Pretrained.__subclasses__()}, dtype, generator)


def _load(
    folder: Any, kinds: Mapping[str, type[Any]], dtype: DTypeLike | None, generator: Generator | None
) -> Any:
    """Build the model of one of these classes that is in the folder."""
    dtype, generator = dtype if dtype is None else as_dtype(dtype), as_generator(generator)
    config, tensors, dtypes = model_folder.read(folder)
    about, path, arguments = as_folder(folder) / CONFIG, as_folder(folder) / TENSORS, config["arguments"]
    with naming(about):
        check_choice("architecture", config["architecture"], tuple(kinds))
        kind = kinds[config["architecture"]]
        _check_names(arguments, kind)
        arguments = arguments | {"dtype": dtype or _stored_dtype(arguments, dtypes)}
        model = kind(**arguments, generator=generator)
        if config["preprocessing"] is not None:
            model.preprocessing = as_preprocessing(config["preprocessing"], model.arguments)
        if config["classes"] is not None:
            model.classes = check_classes(config["classes"], model.arguments)
    with naming(path):
        if dtype is None:
            _check_dtypes(dtypes, model.parameters()[0].data.dtype.name)
        model.load_state_dict(tensors)
    return model.eval()


def _check_constructor(kind: type[Any]) -> None:
    """Raise TypeError unless the class takes the arguments NEEDED by name."""
    if missing := sorted({*NEEDED} - inspect.signature(kind).parameters.keys()):
        raise TypeError(f"{kind.__name__} has no argument {', '.join(missing)}, expected it by name")


def _check_names(arguments: Mapping[str, Any], kind: type[Any]) -> None:
    known = [name for name in inspect.signature(kind).parameters if name != "generator"]
    if unknown := sorted(arguments.keys() - {*known}):
        raise ValueError(f"arguments has {', '.join(unknown)}, {kind.__name__} knows {', '.join(known)}")


def _stored_dtype(arguments: Mapping[str, Any], dtypes: Mapping[str, str]) -> Any:
    """Return the dtype that config.json names, or else that of the tensors."""
    dtype = arguments.get("dtype") or next(iter(dtypes.values()), None)
    if dtype in ("float16", "bfloat16"):
        raise ValueError(f"dtype is {dtype}, which NumPy lacks: give dtype='float32' to convert")
    return dtype


def _check_dtypes(dtypes: Mapping[str, str], expected: str) -> None:
    for name, found in dtypes.items():
        if found != expected:
            raise ValueError(f"{name} is {found}, expected {expected}: give dtype to convert")


def _dtype_of(state: Mapping[str, Array]) -> str:
    """Return the name of the parameters' dtype; raise ValueError if they have several."""
    names = sorted({array.dtype.name for array in state.values()})
    if len(names) != 1:
        raise ValueError(f"the parameters have the dtypes {', '.join(names)}, expected one")
    return names[0]


def _plain(value: Any) -> Any:
    """Return a copy of an argument in JSON's types, where it can be; without dtype and generator."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if name not in OWN}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return [_plain(each) for each in value] if isinstance(value, Sequence) else value
