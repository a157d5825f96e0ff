"""Models that are saved into a folder, loaded from it by either twin, and classify images."""

import inspect
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from . import model_folder
from .checks import as_array, as_dtype, as_int, check_choice, check_state
from .nn import Module
from .preprocessing import Preprocessing, as_preprocessing, check_classes, standardised
from .random import as_generator
from .types import DTypeLike, Generator

NEEDED = ("img_size", "in_chans", "num_classes", "dtype", "generator")  # arguments of a constructor


class Classification(NamedTuple):
    """The most probable class of each image, and the probabilities (N, num_classes)."""

    names: list[str]
    probabilities: np.ndarray


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
        try:
            bound = inspect.signature(cls).bind(*args, **kwargs)
        except TypeError:  # __init__ says what does not fit
            return self
        bound.apply_defaults()
        self.arguments = _in_json(bound.arguments)
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
        dtypes = sorted({_name(tensor.dtype) for tensor in state.values()})
        if len(dtypes) != 1:
            raise ValueError(f"the parameters have the dtypes {', '.join(dtypes)}, expected one")
        arguments = {**self.arguments, "dtype": dtypes[0]}
        _check_state(type(self)(**arguments), state)
        preprocessing = self.preprocessing if preprocessing is None else preprocessing
        classes = self.classes if classes is None else classes
        config: dict[str, Any] = {
            "format": model_folder.FORMAT,
            "architecture": type(self).__name__,
            "arguments": arguments,
            "preprocessing": None,
            "classes": None,
        }
        if preprocessing is not None:
            config["preprocessing"] = as_preprocessing(preprocessing, arguments)
        if classes is not None:
            config["classes"] = check_classes(classes, arguments)
        model_folder.write(folder, config, state)

    @classmethod
    def from_pretrained(
        cls, folder: Any, dtype: DTypeLike | None = None, generator: Generator | None = None
    ) -> Self:
        """Load a model of this class that either twin saved, in evaluation mode.

        dtype: of the model, by default that of the file; the parameters are converted to it.
        generator: of the draws in training.
        Raises FileNotFoundError, or ValueError naming the file and what does not fit in it. Needs
        safetensors.
        """
        return _load(folder, [cls], dtype, generator)

    @torch.no_grad()
    def classify(self, images: np.ndarray, batch_size: int = 256) -> Classification:
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
        x = standardised(images, as_preprocessing(self.preprocessing, self.arguments))
        classes = self.classes
        if classes is None:
            classes = list(map(str, range(self.arguments["num_classes"])))
        classes = check_classes(classes, self.arguments)
        weight = next(self.parameters())
        self.eval()
        logits = torch.cat([self(part.to(weight)) for part in x.split(min(batch_size, len(x)))])
        probabilities = as_array(logits.double().softmax(-1))
        best: list[int] = probabilities.argmax(-1).tolist()
        return Classification([classes[n] for n in best], probabilities)


def from_pretrained(
    folder: Any, dtype: DTypeLike | None = None, generator: Generator | None = None
) -> Pretrained:
    """Load the model in a folder, whichever class it is of; else as the class's `from_pretrained`."""
    return _load(folder, Pretrained.__subclasses__(), dtype, generator)


def _load(
    folder: Any, kinds: Sequence[type[Any]], dtype: DTypeLike | None, generator: Generator | None
) -> Any:
    """Build the model of one of these classes that is in the folder."""
    given, generator = None if dtype is None else as_dtype(dtype), as_generator(generator)
    config, tensors = model_folder.read(folder)
    path = model_folder.as_folder(folder)
    stored = config["arguments"].get("dtype") or next((t.dtype for t in tensors.values()), None)
    with model_folder.naming(path / model_folder.CONFIG):
        arguments = config["arguments"] | {"dtype": given or stored}
        model = _kind(config["architecture"], kinds, arguments)(**arguments, generator=generator)
        if config["preprocessing"] is not None:
            model.preprocessing = as_preprocessing(config["preprocessing"], model.arguments)
        if config["classes"] is not None:
            model.classes = check_classes(config["classes"], model.arguments)
    with model_folder.naming(path / model_folder.TENSORS):
        expected = next(model.parameters()).dtype
        for name, tensor in tensors.items():
            if given is None and tensor.dtype != expected:
                raise ValueError(
                    f"{name} is {_name(tensor.dtype)}, expected {_name(expected)}: give dtype to convert"
                )
        _check_state(model, tensors)
    model.load_state_dict(tensors)
    return model.eval()


def _check_constructor(kind: type[Any]) -> None:
    """Raise TypeError unless the class takes the arguments NEEDED by name."""
    if missing := sorted({*NEEDED} - inspect.signature(kind).parameters.keys()):
        raise TypeError(f"{kind.__name__} has no argument {', '.join(missing)}, expected it by name")


def _kind(name: Any, kinds: Sequence[type[Any]], arguments: Mapping[str, Any]) -> type[Any]:
    """Return the class with this name; raise ValueError if there is none or it lacks an argument."""
    check_choice("architecture", name, [kind.__name__ for kind in kinds])
    (kind,) = (kind for kind in kinds if kind.__name__ == name)
    known = list(inspect.signature(kind).parameters)
    known.remove("generator")
    if unknown := sorted(set(arguments) - set(known)):
        raise ValueError(f"arguments has {', '.join(unknown)}, {name} knows {', '.join(known)}")
    return kind


def _check_state(model: Any, state: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless the names and shapes are the model's."""
    check_state({n: t.shape for n, t in model.state_dict().items()}, state)  # pyright: ignore[reportArgumentType]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _in_json(value: Any) -> Any:
    """Return a copy of an argument in JSON's types, where it can be; without dtype and generator."""
    match value:
        case None | bool() | str():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value)
        case np.ndarray() | Tensor():
            return value.tolist()
        case Mapping():
            kept = value.keys() - {"dtype", "generator"}
            return {name: _in_json(each) for name, each in value.items() if name in kept}
        case Sequence():
            return [_in_json(each) for each in value]
        case _:
            return value
