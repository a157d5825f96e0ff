"""exp and erf of vectors: the fewest instructions that stay within a float's rounding."""

import math

import numpy as np
from llvmlite import ir
from numba import config
from numba.extending import intrinsic

from .ir import INT32, fma_ir, llvm_function

# exp(r) = 1 + r + r² P(r) on |r| ≤ ½ ln 2: for float32 a fit, off by 4e-9; for float64 Taylor's.
_EXP = {
    4: [
        0.001377070671878755,
        0.008368976414203644,
        0.04166918992996216,
        0.166665181517601,
        0.49999991059303284,
    ],
    8: [1 / math.factorial(n) for n in range(13, 1, -1)],
}
_LN2 = {4: (0.693359375, -2.12194440e-4), 8: (6.93145751953125e-1, 1.42860682030941723212e-6)}
# Bits of the mantissa; 1.5 · 2^bits, which rounds what is added to it; below this exp is taken for 0.
_BITS = {4: (23, 1.5 * 2**23, -87.0), 8: (52, 1.5 * 2**52, -708.0)}


@intrinsic
def _exp(typingctx, value):
    def codegen(context, builder, sig, args):
        vec, size = args[0].type, value.itemsize
        mantissa, magic, lowest = _BITS[size]
        integers = ir.VectorType(ir.IntType(8 * size), value.lanes)

        def constant(number):
            return ir.Constant(vec, [number] * value.lanes)

        x = args[0]
        shifted = fma_ir(builder, x, constant(1 / math.log(2)), constant(magic))  # n in its last bits
        n = builder.fsub(shifted, constant(magic))
        r = fma_ir(builder, n, constant(-_LN2[size][0]), x)
        r = fma_ir(builder, n, constant(-_LN2[size][1]), r)
        p = constant(_EXP[size][0])
        for coefficient in (*_EXP[size][1:], 1.0, 1.0):
            p = fma_ir(builder, p, r, constant(coefficient))
        power = builder.shl(
            builder.bitcast(shifted, integers), ir.Constant(integers, [mantissa] * value.lanes)
        )
        result = builder.bitcast(builder.add(builder.bitcast(p, integers), power), vec)  # p · 2^n
        low = builder.fcmp_ordered("<", x, constant(lowest))  # false for NaN, which stays
        return builder.select(low, constant(0.0), result)

    return value(value), codegen


# erf(x) = x P(x²) / Q(x²) on |x| ≤ 4, where float32 reaches ±1; the coefficients are Eigen's.
_ERF_P = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_Q = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
    -1.42647390514189e-02,
)  # fmt: skip


@intrinsic
def _erf(typingctx, value):
    """float32: a quotient of polynomials; float64: the C library's, lane by lane."""

    def of_float32(context, builder, sig, args):
        def constant(number):
            return ir.Constant(args[0].type, [number] * value.lanes)

        def polynomial(coefficients):
            result = constant(coefficients[0])
            for coefficient in coefficients[1:]:
                result = fma_ir(builder, result, square, constant(coefficient))
            return result

        x = args[0]
        for limit, symbol in ((4.0, ">"), (-4.0, "<")):
            x = builder.select(builder.fcmp_ordered(symbol, x, constant(limit)), constant(limit), x)
        square = builder.fmul(x, x)
        return builder.fdiv(builder.fmul(x, polynomial(_ERF_P)), polynomial(_ERF_Q))

    def of_float64(context, builder, sig, args):
        double, result = ir.DoubleType(), args[0]
        function = llvm_function(builder, "erf", double, [double])
        for n in range(value.lanes):
            lane = builder.call(function, [builder.extract_element(args[0], INT32(n))])
            result = builder.insert_element(result, lane, INT32(n))
        return result

    return value(value), of_float32 if value.itemsize == 4 else of_float64


def _erf_without_jit(value):
    return np.array([math.erf(x) for x in value], value.dtype)


exp, erf = (np.exp, _erf_without_jit) if config.DISABLE_JIT else (_exp, _erf)
