"""What a run was made with."""

import platform
import re
from importlib import metadata
from pathlib import Path

PACKAGES = ("numpy", "numba", "torch")


def versions():
    """{"python", "project" and each installed package: version}."""
    found = {"python": platform.python_version(), "project": _project()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(before):
    """What has another version than before, as text; empty when nothing has."""
    now = versions()
    return ", ".join(
        f"{name} {before[name]} (now {now.get(name, 'missing')})"
        for name in before
        if before[name] != now.get(name)
    )


def _project():
    """As the NumPy twin says; read and not imported, since numba may be missing."""
    source = (Path(__file__).parents[1] / "numpy_ref" / "__init__.py").read_text()
    return re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)[1]
