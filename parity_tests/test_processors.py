"""Other processors, simulated on this machine by NUMBA_CPU_NAME and NUMBA_CPU_FEATURES."""

import re

import pytest
from llvmlite import binding

from .process import python

pytestmark = pytest.mark.skipif(
    not {"fma", "avx2"} <= {name for name, has in binding.get_host_cpu_features().items() if has},
    reason="only an x86 processor with AVX2 and FMA can simulate the others",
)

# {bytes of a register: features}
FEATURES = {16: "+avx,+fma", 32: "+avx2,+fma"}


def processor(features):
    return {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}


CHOICE = """
import numpy as np
import numpy_ref
from parity_tests import budget
from numpy_ref import kernels, ops
from numpy_ref.dispatch import F, default_ops
from numpy_ref.kernels.machine.target import HAS_FMA, REGISTER_BYTES, REGISTERS

def chosen():
    return next(m.__name__ for m in (ops, kernels) if F.linear_forward is m.linear_forward)
"""


@pytest.mark.parametrize("size", FEATURES)
def test_llvm_is_asked_for_the_registers(size):
    seen = "print(default_ops(), chosen(), REGISTER_BYTES, REGISTERS, HAS_FMA)"
    found = python(CHOICE + seen, **processor(FEATURES[size]))
    assert found == f"numba numpy_ref.kernels {size} 16 True\n"


WITHOUT_FMA = """
assert (HAS_FMA, default_ops(), chosen()) == (False, "numpy", "numpy_ref.ops")
x, weight = np.random.default_rng(0).standard_normal((2, 37, 37))
out, cache = F.linear_forward(x, weight)
with numpy_ref.use_ops("numba"):
    assert chosen() == "numpy_ref.kernels"
    ours, kept = F.linear_forward(x, weight)
    assert budget.float64("out", out, ours).ok
assert chosen() == "numpy_ref.ops"
"""


def test_without_fma_the_definition_is_the_default_and_the_kernels_stay_right(tmp_path):
    python(CHOICE + WITHOUT_FMA, **processor(""), NUMBA_CACHE_DIR=str(tmp_path))


INTRODUCTION = """
import sys
from experiments.cli import use_threads
from experiments.compiling import compiled_ahead
with compiled_ahead("numpy", "float32"):
    pass
print(use_threads("numpy"), "numpy_ref.kernels.ahead" in sys.modules)
"""


def test_without_fma_training_says_so_and_compiles_nothing():
    said = python(INTRODUCTION, **processor(""))
    assert said == "1 for BLAS; plain NumPy instead of the kernels (this processor has no FMA) False\n"


TILES = """
import sys
from llvmlite import binding, ir
from numba import types
from numpy_ref.kernels.machine import tile
from numpy_ref.kernels.machine.ir import VectorType
triple, name, features, registers, more = sys.argv[1:]
accumulators, vectors = tile.tile_size(int(registers))
tile.ACCUMULATORS = accumulators + int(more)
tile.WIDTHS = [width for width in (1, 2, 4) if width <= vectors]
module = ir.Module()
tile.tiles_function(module, VectorType(types.float32)).linkage = "external"
binding.initialize_all_targets()
binding.initialize_all_asmprinters()
machine = binding.Target.from_triple(triple).create_target_machine(name, features, opt=3)
optimised = binding.parse_assembly(str(module))
options = binding.create_pipeline_tuning_options(speed_level=3)
passes = binding.create_pass_builder(machine, options)
passes.getModulePassManager().run(optimised, passes)
print(machine.emit_assembly(optimised))
"""
AVX512 = "+avx512f,+avx512vl,+fma"
X86 = "x86_64-unknown-linux-gnu", "x86-64"
# {name: (features that give registers of this width, (triple, name, features) of the code, registers)}
TARGETS = {
    "neon": (FEATURES[16], ("aarch64-unknown-linux-gnu", "generic", ""), 32),
    "avx": (FEATURES[16], (*X86, FEATURES[16]), 16),
    "avx2": (FEATURES[32], (*X86, FEATURES[32]), 16),
    "avx512": (AVX512, (*X86, AVX512), 32),
}


def loops(name, more=0):
    """Return {products in an inner loop of the tiles: vectors that it moves to or from the stack}."""
    features, target, registers = TARGETS[name]
    code = python(TILES, *target, registers, more, **processor(features))
    found = {}
    for block in re.split(r"\n(?=\.L\w+:)", code):
        if products := len(re.findall(r"\t(?:fmla|vfmadd\w+)\b", block)):
            spills = re.findall(r"\bq\d+,.*\[sp|%rsp\), %[xyz]mm|%[xyz]mm\d+, .*%rsp\)", block)
            found[products] = found.get(products, 0) + len(spills)
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_a_tile_stays_in_the_registers(name):
    found = loops(name)
    assert len(found) > 5
    assert not any(found.values()), found


@pytest.mark.parametrize("name", ["neon", "avx512"])
def test_four_accumulators_more_would_not_fit(name):
    assert loops(name, more=4)[28] > 0


RESULTS = """
import hashlib
import numpy as np
from numpy_ref import kernels
x = np.random.default_rng(0).standard_normal((50, 37), np.float32)
out, _ = kernels.layer_norm_forward(x, x[0], x[1])
print(kernels.squared_norm(x), hashlib.sha256(out).hexdigest())
"""


def test_processors_share_a_cache_and_each_finds_its_own_code(tmp_path):
    """Processors use a shared cache in both orders; code of the wrong width would give other bits."""

    def computed(size, folder):
        return python(RESULTS, **processor(FEATURES[size]), NUMBA_CACHE_DIR=str(tmp_path / folder))

    first = {size: computed(size, f"{size} first") for size in FEATURES}
    assert first[16] != first[32]
    assert computed(16, "32 first") == first[16]
    assert computed(32, "16 first") == first[32]
    assert computed(16, "16 first") == first[16]
