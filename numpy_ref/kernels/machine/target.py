"""The processor that numba compiles for: how wide its registers are, how many, and whether it has FMA.

LLVM is asked, so NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count, and one machine can stand in for another:
with NUMBA_CPU_NAME=x86-64 the features "+avx2,+fma" mean registers of 32 bytes, "+avx,+fma" of 16, and
none at all no FMA.
"""

from llvmlite import binding, ir
from numba import config
from numba.core.registry import cpu_target


def _sample():
    """a · b + c rounded once, and a sum of integers that are wider than any register."""
    module, number, vector = ir.Module(), ir.FloatType(), ir.VectorType(ir.IntType(32), 16)
    product = ir.Function(module, ir.FunctionType(number, [number] * 3), "product")
    builder = ir.IRBuilder(product.append_basic_block())
    builder.ret(builder.fma(*product.args))
    double = ir.Function(module, ir.FunctionType(ir.VoidType(), [vector.as_pointer()]), "double")
    builder = ir.IRBuilder(double.append_basic_block())
    value = builder.load(double.args[0])
    builder.store(builder.add(value, value), double.args[0])
    builder.ret_void()
    return str(module)


def _seen_by_llvm(triple, name, features):
    """(bytes of a register, number of registers, has FMA)"""
    machine = binding.Target.from_triple(triple).create_target_machine(name, features)
    assembly = machine.emit_assembly(binding.parse_assembly(_sample()))
    size = 64 if "zmm" in assembly else 32 if "ymm" in assembly else 16
    few = triple.startswith(("x86_64", "i686")) and size < 64
    return size, 16 if few else 32, "fmaf" not in assembly  # without FMA the C library is called


# (triple, name, features) as numba hands them to LLVM; nothing is compiled without the jit.
TARGET = () if config.DISABLE_JIT else cpu_target.target_context.codegen().magic_tuple()
REGISTER_BYTES, REGISTERS, HAS_FMA = (16, 16, True) if config.DISABLE_JIT else _seen_by_llvm(*TARGET)
