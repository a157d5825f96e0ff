"""What is compiled when: nothing on import, once for all processes, anew when a file has changed."""

import json
import shutil

import pytest

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


def test_importing_numpy_ref_is_quick():
    """In seconds of the processor, of the whole process."""
    code = (
        "import time; start = time.process_time(); import numpy_ref; print(time.process_time() - start)"
    )
    assert float(python(code)) < 1


def test_importing_the_kernels_compiles_nothing():
    code = "print(json.dumps({name: len(d.overloads) for name, d in dispatchers().items()}))"
    overloads = json.loads(python(DISPATCHERS + code))
    assert len(overloads) > 20
    assert not any(overloads.values())


@pytest.fixture
def calling(tmp_path):
    """(found on disk, compiled) of what is kept there, when a new process calls a kernel of the copy."""
    only_sources = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "numpy_ref", tmp_path / "numpy_ref", ignore=only_sources)
    cache = str(tmp_path / "cache")
    return lambda: json.loads(python(DISPATCHERS + NORM, cwd=tmp_path, NUMBA_CACHE_DIR=cache))


def test_compiled_code_is_kept_until_the_file_of_any_kernel_changes(calling, tmp_path):
    """Also the one of a helper: numba by itself looks only at the file of what is called."""
    hits, compiled = calling()
    assert (hits, compiled > 0) == (0, True)
    assert calling() == [compiled, 0]
    with (tmp_path / "numpy_ref" / "kernels" / "_simd.py").open("a") as helper:
        helper.write("# another comment\n")
    assert calling() == [0, compiled]
    assert calling() == [compiled, 0]


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

with ahead.compiled_ahead(np.float32):
    pass
before = misses()
model = numpy_ref.VisionTransformer(8, 2, embed_dim=16, depth=2, drop_path_rate=0.5)
trainer = numpy_ref.Trainer(model, 1e-3, 10)
trainer.train_step(np.ones((64, 1, 8, 8), np.float32), np.arange(64) % 10)
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
    """Attention is compiled by a second process, and only when nothing is found on disk."""
    cache = str(tmp_path)
    helpers, compiled, late = json.loads(python(DISPATCHERS + AHEAD + STEP, NUMBA_CACHE_DIR=cache))
    assert (helpers, late) == (1, [])
    assert {"numpy_ref.kernels._mlp.backward", "numpy_ref.kernels._linear.forward"} <= set(compiled)
    assert not [name for name in compiled if "attention" in name]
    assert json.loads(python(DISPATCHERS + AHEAD + STEP, NUMBA_CACHE_DIR=cache)) == [0, [], []]


def test_who_stops_compiling_ahead_stops_its_helper(tmp_path):
    assert python(DISPATCHERS + AHEAD + BROKEN, NUMBA_CACHE_DIR=str(tmp_path)) == "[-9]\n"
