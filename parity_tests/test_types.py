"""Every public function is annotated and the stubs are up to date; editor.py tests the types."""

import inspect

import pytest

from . import stubs

PACKAGES = ("numpy_ref", "torch_impl")
MODULES = [part for twin in stubs.TWINS for part in (twin, twin.ops, twin.nn, twin.position)]


def functions_of(public, name):
    """Return [(name, function)]: the function itself, or a class's constructor and public methods."""
    if inspect.isfunction(public):
        return [(name, public)]
    if not inspect.isclass(public):
        return []
    methods = inspect.getmembers(public, inspect.isfunction)
    return [
        (f"{name}.{method}", function)
        for method, function in methods
        if function.__module__.startswith(PACKAGES)
        and (method == "__init__" or not method.startswith("_"))
    ]


def assert_annotated(name, function):
    """Assert that each argument and the result have a type."""
    signature = inspect.signature(function)
    bare = {p.name for p in signature.parameters.values() if p.annotation is p.empty} - {"self"}
    assert not bare, f"{name} does not say what {', '.join(bare)} is"
    if function.__name__ != "__init__":
        assert signature.return_annotation is not signature.empty, f"{name} does not say what it returns"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_public_functions_are_annotated(module):
    functions = [f for name in module.__all__ for f in functions_of(getattr(module, name), name)]
    assert functions
    for name, function in functions:
        assert_annotated(f"{module.__name__}.{name}", function)


@pytest.mark.parametrize("twin", stubs.TWINS, ids=lambda twin: twin.__name__)
def test_schemes_are_annotated(twin):
    for bias_type, scheme in twin.SCHEMES.items():
        for name, function in functions_of(scheme, bias_type):
            assert_annotated(name, function)


@pytest.mark.parametrize("twin", stubs.TWINS, ids=lambda twin: twin.__name__)
def test_stub_is_up_to_date(twin):
    """The stub on disk is what stubs.py makes from the schemes' constructors now."""
    assert stubs.path_of(twin).read_text() == stubs.stub(twin), "`make stubs` writes it anew"
