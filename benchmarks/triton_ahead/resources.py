"""Compile a variant without a GPU, and read from the machine code what it needs."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from .variants import KERNELS, SHARED

POINTERS = {"float16": "*fp16", "bfloat16": "*bf16", "float32": "*fp32"}
ROWS = {"q", "k", "v", "out", "dout", "dq", "dk", "dv", "mask"}  # in the dtype of the call
FLOATS = {"lse", "delta", "table", "slices"}
INTEGERS = {"index": "*i32", "key_at": "*i32", "queries": "*i64", "keys": "*i64"}
ALIGNED = re.compile(r"(q|k|v|o|do|dq|dk|dv)_[bhl]|dim|v_dim")  # multiples of 16
TOOL = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


@dataclass(frozen=True)
class Resources:
    """Registers per thread; bytes of stack per thread, where registers were spilled; shared memory."""

    registers: int
    stack: int
    shared: int

    def faults(self, gpu):
        """Return what is wrong with them on this GPU, [] if nothing is."""
        found = [f"{self.stack} bytes of spilled registers"] if self.stack else []
        if self.shared > SHARED[gpu] * 1024:
            found.append(f"{self.shared} bytes of shared memory, more than {SHARED[gpu]} KB")
        return found


def compiled(variant):
    """Return the Resources of a variant."""
    kernel, constants = KERNELS[variant.name], variant.constants
    types = {name: _type(name, variant.dtype, constants) for name in kernel.arg_names}
    aligned = {
        (n,): [["tt.divisibility", 16]]
        for n, (name, kind) in enumerate(types.items())
        if kind.startswith("*") or ALIGNED.fullmatch(name)
    }
    options = {"num_warps": variant.tile.warps, "num_stages": variant.tile.stages}
    target = GPUTarget("cuda", int(variant.gpu.removeprefix("sm_")), 32)
    binary = triton.compile(ASTSource(kernel, types, constants, aligned), target=target, options=options)
    return _resources(binary.asm["cubin"], binary.metadata.shared)


def _type(name, dtype, constants):
    if name in constants:
        return "constexpr"
    if name in ROWS:
        return POINTERS[dtype]
    return INTEGERS.get(name) or ("*fp32" if name in FLOATS else "fp32" if name == "scale" else "i32")


def _resources(cubin, shared):
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [TOOL, "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    if not found:
        raise RuntimeError(f"cuobjdump gave no REG and STACK: {text!r}")
    return Resources(int(found[1]), int(found[2]), shared)
