"""Import an original unmodified, or skip its tests with the reason."""

import contextlib
import importlib

import pytest
import torch

_libraries = []  # keeps the libraries, since an operator is removed with its library


def original(name):
    """Import the module `name` of a package, or skip the test file that calls this."""
    try:
        with contextlib.suppress(ModuleNotFoundError):  # transformers works without torchvision
            _import_torchvision()
        return importlib.import_module(name)
    except Exception as error:  # a broken installation raises more than ImportError
        return pytest.skip(f"{name} cannot be imported: {error}", allow_module_level=True)


def _import_torchvision():
    """Import torchvision, also a wheel for CUDA beside a CPU-only torch, where the import fails.

    timm and transformers import it too. It registers the shapes of two compiled operators, so these are
    defined here; its layers do not need them.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
        importlib.import_module("torchvision")
