"""The originals, imported unmodified, or a skip that says why not."""

import contextlib
import importlib

import pytest
import torch

_libraries = []  # an operator lives as long as the library that defines it


def original(name):
    """The module `name` of a package, or skip the file that asks for it."""
    try:
        with contextlib.suppress(ModuleNotFoundError):  # transformers does without
            _import_torchvision()
        return importlib.import_module(name)
    except Exception as error:  # a broken installation raises more than ImportError
        return pytest.skip(f"{name} cannot be imported: {error}", allow_module_level=True)


def _import_torchvision():
    """timm and transformers import it too, and a wheel built for CUDA fails beside a CPU-only torch.

    It registers the shapes of two compiled operators, so they must exist; its layers need neither.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
        importlib.import_module("torchvision")
