"""When kernels are compiled: not on import, once for all processes, again when a file has changed."""

import ast
import json
import os
import shutil
import subprocess
import sys

import pytest

from numpy_ref.kernels.machine import kept

from .process import ROOT, python

DISPATCHERS = """
import json, sys, time
import numpy as np
import numpy_ref.kernels as kernels
from numba.core.dispatcher import Dispatcher

def dispatchers():
    modules = [m for name, m in sys.modules.items() if name.startswith("numpy_ref.kernels")]
    values = [v for m in modules for v in vars(m).values()]
    values = [getattr(v, "dispatcher", v) for v in values]  # of a Loop
    return {f"{v.py_func.__module__}.{v.__name__}": v for v in values if isinstance(v, Dispatcher)}
"""
NORM = """
assert kernels.squared_norm(np.array([3.0, 4.0])) == 25
stats = [d.stats for d in dispatchers().values() if hasattr(d._cache, "_cache_file")]
print(json.dumps([sum(sum(c.values()) for c in cs) for cs in (
    [s.cache_hits for s in stats], [s.cache_misses for s in stats])]))
"""


def test_importing_numpy_ref_is_light():
    """Importing numpy_ref must import neither numba nor PyTorch."""
    code = "import sys, numpy_ref; print({'numba', 'llvmlite', 'torch'} & set(sys.modules))"
    assert python(code) == "set()\n"


def test_importing_the_kernels_compiles_nothing():
    code = "print(json.dumps({name: len(d.overloads) for name, d in dispatchers().items()}))"
    overloads = json.loads(python(DISPATCHERS + code))
    assert len(overloads) > 20
    assert not any(overloads.values())


@pytest.fixture
def copied(tmp_path):
    """Copy numpy_ref's sources; return (folder of the copy, function that runs code there)."""
    only_sources = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "numpy_ref", tmp_path / "numpy_ref", ignore=only_sources)
    cache = str(tmp_path / "cache")

    def run(code, **environment):
        return python(DISPATCHERS + code, cwd=tmp_path, **({"NUMBA_CACHE_DIR": cache} | environment))

    return tmp_path, run


@pytest.fixture
def calling(copied):
    """Return a function that calls a kernel of the copy in a new process.

    It returns (functions loaded from disk, functions compiled and kept there).
    """
    return lambda **environment: json.loads(copied[1](NORM, **environment))


@pytest.mark.slow
def test_compiled_code_is_kept_until_a_file_that_it_comes_from_changes(calling, copied):
    """A change in a helper or in `ops` counts too; numba checks only the called function's own file."""
    hits, compiled = calling()
    assert (hits, compiled > 0) == (0, True)
    assert calling() == [compiled, 0]
    for name in ("kernels/machine/simd.py", "ops/cosine.py", "checks.py"):
        with (copied[0] / "numpy_ref" / name).open("a") as file:
            file.write("# another comment\n")
        assert calling() == [0, compiled]
    assert len(list(copied[0].glob("cache/*/norm._squares*"))) == 1  # outdated files are removed
    assert calling(NUMBA_BOUNDSCHECK="1") == [0, compiled]
    assert calling() == [compiled, 0]


def test_kernels_import_no_file_that_does_not_count():
    """Code that kernels import may be compiled in, so its files must be among `kept.sources()`."""
    counted = {path.relative_to(ROOT / "numpy_ref").parts[0] for path in kept.sources()}
    assert counted == {"kernels", "ops", "checks.py", "gate.py", "types.py"}
    for path in kept.sources():
        assert imported_by(path) <= {"kernels", "ops", "checks", "gate", "types"}, path


def imported_by(path):
    """Return the files and folders of numpy_ref from which this file of it imports."""
    folder, found = path.relative_to(ROOT).parts[:-1], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = folder[: len(folder) + 1 - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {(*start, *name.split("."))[1] for name in names}
    return found


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: data[::-1]])
def test_damaged_code_counts_as_none(damage, tmp_path):
    files, key = kept._Files(tmp_path, "kernel"), (("float32",), "processor", "bytes")
    files.save(key, "code")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert files.load(key) is None
    files.save(key, "code")
    assert files.load(key) == "code"


@pytest.mark.slow
def test_without_a_folder_to_write_to_kernels_are_compiled_all_the_same(calling, copied):
    """Each folder that numba would use is replaced by a file, so that not even root can write there."""
    (copied[0] / "numpy_ref" / "kernels" / "__pycache__").write_text("")
    nowhere = str(copied[0] / "numpy_ref" / "__init__.py")
    environment = {"NUMBA_CACHE_DIR": nowhere, "HOME": nowhere, "XDG_CACHE_HOME": nowhere}
    for _ in range(2):
        assert calling(**environment) == [0, 0]  # only kept functions are counted, and none is
    said = copied[1](AHEAD + SAID, PYTHONPATH=str(ROOT), **environment)
    assert said.startswith("compiling the kernels, for this run only")
    assert said.endswith("\n[]\n")


SAID = """
from experiments.compiling import say_what_is_compiled
ahead.compile_rest = lambda dtype: None
say_what_is_compiled()
with ahead.compiled_ahead(np.float32):
    pass
print(Helper.started)
"""
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"


@pytest.mark.slow
def test_a_full_disk_is_no_reason_to_fail(calling, copied):
    compiled = json.loads(copied[1](FULL_DISK + NORM))[1]
    assert compiled > 0
    assert not list(copied[0].glob("cache/*/*"))
    assert calling() == [0, compiled]


MIXED = """
import sys
for dtype in sys.argv[1:]:
    values = np.arange(99, dtype=dtype)
    assert kernels.squared_norm(values) == (values * values).sum(), dtype
    assert (kernels.bias_forward(values[:, None], np.arange(99)[None]) == values).all(), dtype
"""


@pytest.mark.slow
def test_processes_that_compile_at_once_do_not_mix_up_their_code(tmp_path):
    """Two processes that save at once must not overwrite each other's code, as in numba's own index."""
    command = [sys.executable, "-c", DISPATCHERS + MIXED]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    running = [
        subprocess.Popen([*command, *order], cwd=ROOT, env=environment)
        for order in (("float32", "float64"), ("float64", "float32"))
    ]
    assert [process.wait() for process in running] == [0, 0]
    python(DISPATCHERS + MIXED, "float64", "float32", NUMBA_CACHE_DIR=str(tmp_path))


def test_a_key_finds_only_what_was_saved_under_it(tmp_path):
    """When two processes save at once, neither loses the code that the other saved."""
    ours, theirs = (kept._Files(tmp_path, "kernel") for _ in range(2))
    keys = [((kind,), "processor", "bytes") for kind in ("float32", "float64")]
    ours.save(keys[0], "code of float32")
    theirs.save(keys[1], "code of float64")
    for files in (ours, theirs):
        assert [files.load(key) for key in keys] == ["code of float32", "code of float64"]
        assert files.load((("float32",), "another processor", "bytes")) is None
    ours.save((("float32",), "processor", "other bytes"), "newer code")
    assert [theirs.load(key) for key in keys] == [None, "code of float64"]


AHEAD = """
import subprocess
import numpy_ref
from numpy_ref.kernels import ahead

class Helper(subprocess.Popen):
    started = []

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        Helper.started.append(self)

subprocess.Popen = Helper
numpy_ref.set_num_threads(2)
"""
STEP = """
def misses():
    return {name for name, d in dispatchers().items() if getattr(d.stats, "cache_misses", None)}

with ahead.compiled_ahead(np.float32, cosine=True):
    pass
before = misses()
swin = dict(img_size=(16, 10), patch_size=2, in_chans=1, num_classes=10, embed_dim=16, depths=(2, 2))
swin |= dict(num_heads=(2, 4), window_size=3, drop_path_rate=0.5)
for model, size in (
    (numpy_ref.VisionTransformer(8, 2, embed_dim=16, depth=2, drop_path_rate=0.5), (8, 8)),
    (numpy_ref.SwinTransformer(1, **swin), (16, 10)),
    (numpy_ref.SwinTransformer(2, **swin), (16, 10)),
):
    trainer = numpy_ref.Trainer(model, 1e-3, 10)
    trainer.train_step(np.ones((64, 1, *size), np.float32), np.arange(64) % 10)
print(json.dumps([len(Helper.started), sorted(before), sorted(misses() - before)]))
"""
BROKEN = """
try:
    with ahead.compiled_ahead(np.float32):
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print([helper.returncode for helper in Helper.started])
"""


def test_compiled_ahead_leaves_nothing_to_compile_in_a_step(tmp_path):
    """A second process compiles attention, but only if its code is not on disk yet."""
    cache = str(tmp_path)
    helpers, compiled, late = json.loads(python(DISPATCHERS + AHEAD + STEP, NUMBA_CACHE_DIR=cache))
    assert (helpers, late) == (1, [])
    loops = {f"numpy_ref.kernels.{name}" for name in ("mlp_loops.backward", "linear_loops.forward")}
    assert loops <= set(compiled)
    assert not [name for name in compiled if "attention" in name]
    assert json.loads(python(DISPATCHERS + AHEAD + STEP, NUMBA_CACHE_DIR=cache)) == [0, [], []]


def test_who_stops_compiling_ahead_stops_its_helper(tmp_path):
    assert python(DISPATCHERS + AHEAD + BROKEN, NUMBA_CACHE_DIR=str(tmp_path)) == "[-9]\n"
