"""The families of checkpoints that can be converted: a file each, whose FAMILIES are the tables."""

from importlib import import_module
from pkgutil import iter_modules


def _families():
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(f for name in names for f in import_module(f"{__name__}.{name}").FAMILIES)


FAMILIES = _families()
