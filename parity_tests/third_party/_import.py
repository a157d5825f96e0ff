"""Import an original unmodified, or skip its tests with the reason."""

import contextlib
import importlib

import pytest

from experiments.data.vision import import_torchvision


def original(name):
    """Import the module `name` of a package, or skip the test file that calls this."""
    try:
        with contextlib.suppress(ModuleNotFoundError):  # transformers works without torchvision
            import_torchvision()  # timm and transformers import it too
        return importlib.import_module(name)
    except Exception as error:  # a broken installation raises more than ImportError
        return pytest.skip(f"{name} cannot be imported: {error}", allow_module_level=True)
