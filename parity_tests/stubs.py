"""Write `position/__init__.pyi` of both twins: the options of each scheme, as an editor completes them.

    python -m parity_tests.stubs            (make stubs)

The options of `RelativePositionBias` and the keys of `rpb_kwargs` depend on bias_type, so their types
are an overload and a TypedDict for each scheme. They are made from the schemes' constructors.
"""

import inspect
import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy_ref.position
import numpy_ref.types
import torch_impl.position
import torch_impl.types

TWINS = (numpy_ref, torch_impl)
ALIASES = ("DTypeLike", "Generator", "IndexLike", "SizeLike")
HEAD = '''\
"""Relative position bias schemes, for an editor and the type checker. Written by `make stubs`."""

from collections.abc import Sequence
from typing import Literal, Required, TypedDict, overload

from ..types import {aliases}
{imports}

BiasType = Literal[
{names}
]
SCHEMES: dict[BiasType, type[PositionBias]]

def scheme_options(bias_type: BiasType) -> list[str]: ...
'''


def path_of(twin):
    """Return the path of the twin's stub."""
    return Path(twin.position.__file__).with_suffix(".pyi")


def stub(twin):
    """Return the text of the twin's stub."""
    schemes = twin.position.SCHEMES
    public = (getattr(twin.position, name) for name in twin.position.__all__)
    base = [c for c in public if getattr(c, "__module__", "").endswith("._base")]
    imports = [f"from .{file_of(c)} import {c.__name__} as {c.__name__}" for c in base]
    imports += [f"from .{file_of(c)} import {c.__name__}" for c in sorted(schemes.values(), key=file_of)]
    head = HEAD.format(
        aliases=", ".join(ALIASES),
        imports="\n".join(imports),
        names="\n".join(f"    {quoted(name)}," for name in schemes),
    )
    parts = [head, *(typed_dict(twin, scheme) for scheme in schemes.values())]
    union = "\n    | ".join(f"{scheme.__name__}Kwargs" for scheme in schemes.values())
    parts.append(f"RpbKwargs = (\n    {union}\n)\n")
    return "\n".join(parts) + "\n" + "".join(overload(twin, scheme) for scheme in schemes.values())


def file_of(scheme):
    """Return the name of the scheme's module."""
    return scheme.__module__.rpartition(".")[2]


def typed_dict(twin, scheme):
    """Return the TypedDict of the scheme's rpb_kwargs; bias_type may be left out for "2d"."""
    lines = [f"class {scheme.__name__}Kwargs(TypedDict, total=False):"]
    for p in parameters_of(scheme):
        kind = text(twin, p.annotation)
        if p.name == "bias_type" and scheme.bias_type != "2d":
            kind = f"Required[{kind}]"
        lines.append(f"    {p.name}: {kind}")
    return "\n".join(lines) + "\n"


def overload(twin, scheme):
    """Return the overload of RelativePositionBias for the scheme's bias_type."""
    lines = ["@overload", "def RelativePositionBias("]
    for p in parameters_of(scheme):
        default = p.default
        if p.name == "bias_type" and scheme.bias_type == "2d":
            default = "2d"
        given = "" if default is p.empty else f" = {quoted(default)}"
        lines.append(f"    {p.name}: {text(twin, p.annotation)}{given},")
        if p.name == "init_std":
            lines.append("    *,")
    return "\n".join([*lines, f") -> {scheme.__name__}: ...\n"])


def parameters_of(scheme):
    """Return the constructor's parameters, with bias_type in its place in RelativePositionBias."""
    own = list(inspect.signature(scheme).parameters.values())
    bias_type = inspect.Parameter(
        "bias_type",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=Literal[scheme.bias_type],
    )
    return [*own[:2], bias_type, *own[2:]]


def text(twin, annotation):
    """Return the annotation as source text, with the names of the twin's types."""
    if annotation == twin.position.RpbKwargs:
        return "RpbKwargs"
    for name in ALIASES:
        if annotation == getattr(twin.types, name):
            return name
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is not None:
        arguments = get_args(annotation)
        if type(None) in arguments:
            return f"{text(twin, union(a for a in arguments if a is not type(None)))} | None"
        if get_origin(annotation) is Literal:
            return f"Literal[{', '.join(map(quoted, arguments))}]"
        if not isinstance(annotation, types.UnionType):
            inner = ", ".join(text(twin, a) for a in arguments)
            return f"{get_origin(annotation).__name__}[{inner}]"
    return "Any" if annotation is Any else inspect.formatannotation(annotation)


def union(kinds):
    """Return kinds[0] | kinds[1] | …"""
    first, *others = kinds
    for kind in others:
        first = first | kind
    return first


def quoted(value):
    """Return the value as source text, strings in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    for twin in TWINS:
        path_of(twin).write_text(stub(twin))
        print(path_of(twin))
