"""The twins have the same names, signatures, files and state-dict keys, and share no code."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import numpy_ref
import numpy_ref.module
import numpy_ref.ops
import numpy_ref.resize
import numpy_ref.types
import torch_impl
import torch_impl.ops
import torch_impl.types

from .cases import CASES
from .run import MODULES, build

ROOT = Path(__file__).parent.parent
TWINS = {"numpy_ref": ("torch", "torch_impl"), "torch_impl": ("numpy_ref", "numba")}
PUBLIC = sorted(n for n in numpy_ref.__all__ if callable(getattr(numpy_ref, n)))
SAME_TYPES = [
    (numpy_ref.types.IndexLike, torch_impl.types.IndexLike),
    (numpy_ref.types.DTypeLike, torch_impl.types.DTypeLike),
    (numpy_ref.types.Generator, torch_impl.types.Generator),
    (numpy_ref.types.Implementation, torch_impl.types.Implementation),
    (numpy_ref.types.Array, torch.Tensor),
    (numpy_ref.module.Parameter, torch.nn.Parameter),
]


def signature(function):
    """As text, with one name for the types that correspond to each other in the twins."""
    text = str(inspect.signature(function))
    for pair in SAME_TYPES:
        for kind in sorted(map(inspect.formatannotation, pair), key=len, reverse=True):
            text = text.replace(kind, inspect.formatannotation(pair[0]))
    return text.replace("numpy_ref.", "").replace("torch_impl.", "")


def test_public_names_are_the_same():
    assert sorted(numpy_ref.__all__) == sorted(torch_impl.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_signatures_are_the_same(name):
    assert signature(getattr(numpy_ref, name)) == signature(getattr(torch_impl, name))


@pytest.mark.parametrize(
    "name",
    [
        *("Block", "MultiHeadAttention", "PositionBias", "SwinTransformer", "SwinTransformerBlock"),
        *("Trainer", "VisionTransformer"),
    ],
)
def test_public_methods_are_the_same(name):
    ours, theirs = getattr(numpy_ref, name), getattr(torch_impl, name)
    methods = {n for n in vars(ours) if not n.startswith("_") and callable(getattr(ours, n))}
    assert {n for n in vars(theirs) if not n.startswith("_")} <= vars(ours).keys()
    missing = {m for m in methods if not hasattr(theirs, m)}
    assert all(method.endswith("backward") for method in missing)
    for method in methods - missing:
        assert signature(getattr(ours, method)) == signature(getattr(theirs, method))


def test_scheme_constructors_are_the_same():
    assert list(numpy_ref.SCHEMES) == list(torch_impl.SCHEMES)
    for name, scheme in numpy_ref.SCHEMES.items():
        assert signature(scheme) == signature(torch_impl.SCHEMES[name])


@pytest.mark.parametrize("name", numpy_ref.SCHEMES)
def test_scheme_methods_are_the_same(name):
    ours, theirs = numpy_ref.SCHEMES[name], torch_impl.SCHEMES[name]
    own = {m for c in ours.__mro__ if ".position" in c.__module__ for m in vars(c) if m[0] != "_"}
    missing = {m for m in own if not hasattr(theirs, m)}
    assert all(m.endswith("backward") for m in missing), missing
    for method in own - missing:
        if inspect.isfunction(getattr(ours, method)):
            assert signature(getattr(ours, method)) == signature(getattr(theirs, method))


def test_every_op_has_its_twin_with_the_same_arguments():
    forwards = [n for n in numpy_ref.ops.__all__ if n.endswith("_forward")]
    assert forwards
    for name in forwards:
        twin = getattr(torch_impl.ops, name.removesuffix("_forward"))
        assert f"{name.removesuffix('_forward')}_backward" in numpy_ref.ops.__all__
        try:
            theirs = list(inspect.signature(twin).parameters)
        except ValueError:  # PyTorch's own builtins have no signature
            continue
        if twin.__module__.startswith("torch_impl"):
            ours = list(inspect.signature(getattr(numpy_ref.ops, name)).parameters)
            assert [p for p in theirs if p not in ("implementation", "offsets", "query_lookup")] == ours


@pytest.mark.parametrize("folder", ["position", "ops"])
def test_folders_are_the_same(folder):
    files = ({f for f in (ROOT / twin / folder).iterdir() if f.name != "__pycache__"} for twin in TWINS)
    ours, theirs = ({f.stem for f in each} for each in files)  # attention is a package in torch_impl
    # torch.optim and autograd do the work of these files
    taken_from_torch = {"adamw", "heads", "norm"} if folder == "ops" else set()
    assert ours - taken_from_torch == theirs


def test_every_scheme_and_every_op_has_a_case():
    covered = {(case.kind, case.name) for case in CASES}
    assert {("scheme", name) for name in numpy_ref.SCHEMES} <= covered
    ops = {n.removesuffix("_forward") for n in numpy_ref.ops.__all__ if n.endswith("_forward")}
    assert {("op", name) for name in ops} <= covered
    assert {("attention", name) for name in numpy_ref.SCHEMES} <= covered
    resizes = {n.removesuffix("_backward") for n in dir(numpy_ref.resize) if n.endswith("_backward")}
    assert {("function", name) for name in resizes} <= covered
    assert {kind for kind, _ in covered} == set(MODULES) | {"op", "function"}


@pytest.mark.parametrize("case", [c for c in CASES if c.kind in MODULES], ids=lambda case: case.id)
def test_same_seed_gives_the_same_state_dict(case):
    ours = build(numpy_ref, case, np.float64).state_dict()
    theirs = build(torch_impl, case, torch.float64).state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name].numpy(), err_msg=name)


@pytest.mark.parametrize("twin", TWINS)
def test_twins_do_not_import_each_other(twin):
    for path in (ROOT / twin).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not {n.split(".")[0] for n in names} & set(TWINS[twin]), path


@pytest.mark.parametrize("twin", TWINS)
def test_a_twin_loads_without_the_other(twin):
    """Importing a twin in a new process must not import the other, even indirectly, nor safetensors."""
    others = (*TWINS[twin], "safetensors")
    code = f"import sys, {twin}; sys.exit(any(m in sys.modules for m in {others!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_kernel_is_judged_without_pytorch():
    """Cases, inputs, truth and verdict work without PyTorch, so a kernel can be tested without it."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from parity_tests import report, soak\n"
        "from parity_tests.cases import CASES\n"
        "from parity_tests.run import given_of, run_numpy\n"
        "from parity_tests.verdict import judge\n"
        "case = next(case for case in CASES if case.id == 'op-bias-one_token')\n"
        "results = run_numpy(given_of(case, 'float32'), implementation='numpy')\n"
        "assert all(row.ok for row in judge(case, 'float32', results))\n"
        "assert 'torch' not in report.versions()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_importing_numpy_ref_leaves_numba_alone():
    code = "import sys, numpy_ref; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_importing_torch_impl_leaves_the_compiler_and_split_tensors_alone():
    """Each takes half a second to import, as long as the rest of PyTorch."""
    code = (
        "import sys, torch; before = set(sys.modules)\n"
        "import torch_impl\n"
        "sys.exit(any(m in sys.modules.keys() - before for m in"
        " ('torch._dynamo', 'torch.distributed.tensor', 'triton')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
