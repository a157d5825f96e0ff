"""The versions of Python, the project and its packages."""

import platform
import re
from importlib import metadata
from pathlib import Path

PACKAGES = ("numpy", "numba", "torch", "torchvision", "pillow")


def versions():
    """Return {"python", "project" and each installed package: version}."""
    found = {"python": platform.python_version(), "project": _project()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(before):
    """Return a text that names each version that differs from `before`; empty if none does."""
    now = versions()
    return ", ".join(
        f"{name} {before[name]} (now {now.get(name, 'missing')})"
        for name in before
        if before[name] != now.get(name)
    )


def _project():
    """Return the NumPy twin's version, read from its source: importing it needs numba."""
    source = (Path(__file__).parents[1] / "numpy_ref" / "__init__.py").read_text()
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1]
