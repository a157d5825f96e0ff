"""The schemes of both twins have the same docstrings, for classes and for public methods."""

import inspect

import pytest

import numpy_ref
import torch_impl


def documented(scheme):
    """Return {name: docstring} of the scheme's classes and their public methods and properties."""
    texts = {}
    for part in scheme.__mro__:
        if ".position" in part.__module__:
            texts[part.__qualname__] = part.__doc__
            for name, member in vars(part).items():
                if not name.startswith("_") and (
                    inspect.isfunction(member) or isinstance(member, property)
                ):
                    texts[f"{part.__qualname__}.{name}"] = member.__doc__
    return texts


@pytest.mark.parametrize("name", numpy_ref.SCHEMES)
def test_schemes_have_the_same_docstrings(name):
    ours, theirs = (documented(twin.SCHEMES[name]) for twin in (numpy_ref, torch_impl))
    own = {n for n in ours if n.endswith("_backward") or n.endswith(".backward")}
    inherited = {n for n in ours if hasattr(torch_impl.SCHEMES[name], n.split(".")[-1])}
    assert ours.keys() - theirs.keys() <= own | inherited
    shared = ours.keys() & theirs.keys()
    assert {n: ours[n] for n in shared} == {n: theirs[n] for n in shared}
    assert all(ours[n] for n in shared if "." not in n)
