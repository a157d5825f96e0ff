"""The versions of Python, the project and its packages."""

import platform
import tomllib
from importlib import metadata
from pathlib import Path

PROJECT = "rpb-reference"
PACKAGES = ("numpy", "numba", "torch")


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
    """Return the version in the checkout's pyproject.toml or, without one, of the installed package."""
    path = Path(__file__).parents[1] / "pyproject.toml"
    if path.is_file():
        return tomllib.loads(path.read_text())["project"]["version"]
    return metadata.version(PROJECT)
