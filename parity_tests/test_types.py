"""What is public says what it takes and gives; what the types mean to an editor is in editor.py."""

import inspect

import pytest

import numpy_ref.nn
import numpy_ref.ops
import torch_impl.nn
import torch_impl.ops


def functions_of(module):
    """(name, function) of the names in `__all__`: functions, constructors and public methods."""
    for name in module.__all__:
        public = getattr(module, name)
        if inspect.isfunction(public):
            yield name, public
        elif inspect.isclass(public) and public.__module__.startswith(("numpy_ref", "torch_impl")):
            for method, function in inspect.getmembers(public, inspect.isfunction):
                own = function.__module__.startswith(("numpy_ref", "torch_impl"))
                if own and (method == "__init__" or not method.startswith("_")):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize(
    "module",
    [numpy_ref.ops, torch_impl.ops, numpy_ref.nn, torch_impl.nn],
    ids=lambda module: module.__name__,
)
def test_public_functions_are_annotated(module):
    functions = dict(functions_of(module))
    assert functions
    for name, function in functions.items():
        signature = inspect.signature(function)
        bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
        assert not set(bare) - {"self"}, f"{module.__name__}.{name} does not say what {bare} are"
        if function.__name__ != "__init__":
            assert signature.return_annotation is not signature.empty, (
                f"{module.__name__}.{name} does not say what it returns"
            )
