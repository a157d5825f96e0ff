"""Other processors, as NUMBA_CPU_NAME and NUMBA_CPU_FEATURES describe them: one machine plays all."""

import pytest
from llvmlite import binding

from .process import python

pytestmark = pytest.mark.skipif(
    not {"fma", "avx2"} <= {name for name, has in binding.get_host_cpu_features().items() if has},
    reason="an x86 processor with AVX2 and FMA plays the others",
)

# {bytes of a register: features}
FEATURES = {16: "+avx,+fma", 32: "+avx2,+fma"}


def processor(features):
    return {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}


CHOICE = """
import numpy as np
import numpy_ref
from numpy_ref import kernels, ops
from numpy_ref.dispatch import F, default_ops
from numpy_ref.kernels._target import HAS_FMA, REGISTER_BYTES, REGISTERS

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
    np.testing.assert_allclose(ours, out, rtol=0, atol=1e-12)
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
    assert said == "1 for BLAS; no kernels: the definition (this processor has no FMA) False\n"


RESULTS = """
import hashlib
import numpy as np
from numpy_ref import kernels
x = np.random.default_rng(0).standard_normal((50, 37), np.float32)
out, _ = kernels.layer_norm_forward(x, x[0], x[1])
print(kernels.squared_norm(x), hashlib.sha256(out).hexdigest())
"""


def test_processors_share_a_cache_and_each_finds_its_own_code(tmp_path):
    """In both orders; code of the wrong width would give other bits, or write where it must not."""

    def computed(size, folder):
        return python(RESULTS, **processor(FEATURES[size]), NUMBA_CACHE_DIR=str(tmp_path / folder))

    first = {size: computed(size, f"{size} first") for size in FEATURES}
    assert first[16] != first[32]
    assert computed(16, "32 first") == first[16]
    assert computed(32, "16 first") == first[32]
    assert computed(16, "16 first") == first[16]
