"""Arrays of numbers with fifty digits, so that `numpy_ref.ops` runs on them unchanged.

The arithmetic is that of Python's decimal, which is rounded exactly: no bit depends on the processor, a
maths library or BLAS. A `Precise` array has the dtype float64. An element is either a plain number or a
signalling NaN that encodes the place of a Decimal in `_NUMBERS`. NumPy copies such elements like any
others. Arithmetic outside this module turns a signalling NaN into a quiet one, which `_number` refuses.
"""

import decimal
import sys
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from unittest import mock

import numpy as np

import numpy_ref.ops
from numpy_ref.ops import cosine, gelu

from .functions import FUNCTIONS, erf, log

DIGITS = 50
FIRST, QUIET = 0x7FF0000000000001, 0x7FF8000000000000  # the signalling NaNs of positive sign
_NUMBERS = []


class Precise(np.ndarray):
    """An array made by `mark` or computed from one."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        kept = {name: kwargs[name] for name in ("axis", "keepdims", "initial") if name in kwargs}
        if method == "at":
            target, rows, values = (_numbers(x) for x in inputs)
            ufunc.at(target, rows, values)
            _plain(inputs[0])[...] = _handles(target)
            return None
        function = FUNCTIONS.get(ufunc, ufunc)
        if method != "__call__":
            function = getattr(function, method)
        numbers = [_numbers(x, whole=ufunc in FUNCTIONS) for x in inputs]
        result = _marked_result(function(*numbers, **kept))
        if out is None:
            return result
        _plain(out[0])[...] = _plain(result)
        return out[0]

    def __array_function__(self, function, types, args, kwargs):
        if function in LOOPS:  # written in C: they would read the places as if they were the numbers
            return _marked_result(LOOPS[function](*args, **kwargs))
        return mark(super().__array_function__(function, types, args, kwargs))

    def astype(self, dtype, **kwargs):
        if self.dtype == np.float64 and np.dtype(dtype) != np.float64:
            return mark(np.asarray(_numbers(self).astype(dtype)))
        return super().astype(dtype, **kwargs)


def mark(x):
    """Return x with every array of float64 or int64, also within tuples and dicts, marked as Precise."""
    if isinstance(x, dict):
        return {name: mark(each) for name, each in x.items()}
    if isinstance(x, tuple | list):
        kind = type(x)
        return kind(*map(mark, x)) if hasattr(x, "_fields") else kind(map(mark, x))
    if not isinstance(x, np.ndarray | np.generic) or x.dtype not in (np.float64, np.int64):
        return x
    return np.asarray(x).view(Precise)


def rounded_once(x):
    """Return the numbers of an array rounded to float64, to nearest even."""
    x = np.asarray(x)
    if x.dtype != np.float64:
        return x
    return np.array([float(number) for number in _numbers(x).ravel()]).reshape(x.shape)


class FiftyDigits:
    """The arithmetic, for `run.run_numpy`."""

    def __init__(self):
        self.ops, self.mark = PreciseOps(), mark

    def mark_weights(self, module):
        for parameter in module.parameters():
            parameter.data = mark(np.asarray(parameter.data))


class PreciseOps:
    """`numpy_ref.ops` with Precise arrays as arguments and results; caches are not marked."""

    def __getattr__(self, name):
        op = getattr(numpy_ref.ops, name)

        def precise_op(*args, **kwargs):
            out = op(*mark(args), **mark(kwargs))
            if name.endswith("_forward") and isinstance(out, tuple):
                return mark(out[0]), out[1]
            return mark(out)

        return precise_op


@contextmanager
def precision():
    """Compute with fifty digits within the block, and forget its numbers after it."""
    context = decimal.Context(prec=DIGITS, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
    with decimal.localcontext(context):
        clamp = mark(_handles(np.array(log(Decimal(100)))))
        with ExitStack() as patches:
            patches.callback(_NUMBERS.clear)
            patches.enter_context(mock.patch.object(cosine, "MAX_LOG_SCALE", clamp))
            patches.enter_context(mock.patch.object(gelu, "_erf", _erf))
            for module in definition():
                patches.enter_context(mock.patch.object(module, "np", NewArrays()))
            yield


class NewArrays:
    """NumPy for the modules of `numpy_ref`; the arrays that it makes are Precise."""

    def __getattr__(self, name):
        found = getattr(np, name)
        if name not in ("arange", "empty", "eye", "full", "ones", "zeros"):
            return found
        return lambda *args, **kwargs: mark(found(*args, **kwargs))


def definition():
    """Return the modules of `numpy_ref` that use NumPy, without the kernels."""
    names = [name for name in sys.modules if name.startswith("numpy_ref.") and ".kernels" not in name]
    return [sys.modules[name] for name in names if getattr(sys.modules[name], "np", None) is np]


def _marked_result(x):
    """Return an array of Decimals or of integers as Precise; anything else as it is."""
    if isinstance(x, Decimal) or (isinstance(x, np.ndarray) and x.dtype == object):
        x = _handles(np.asarray(x))
    return mark(x)


def _handles(numbers):
    """Return the float64 array whose elements are the places of these numbers."""
    places = np.arange(numbers.size, dtype=np.uint64) + np.uint64(FIRST + len(_NUMBERS))
    _NUMBERS.extend(map(Decimal, numbers.ravel()))
    return places.view(np.float64).reshape(numbers.shape)


def _numbers(x, whole=False):
    """Return an array of Decimals for one of floats, and of integers if `whole`; others as they are."""
    if isinstance(x, float):
        return Decimal(x)
    if isinstance(x, tuple):
        return tuple(_numbers(each, whole) for each in x)
    x = np.asarray(x) if isinstance(x, np.ndarray | np.generic) else x
    if isinstance(x, np.ndarray) and x.dtype.kind == "i" and whole:
        return x.astype(object)
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        return x
    if x.dtype != np.float64:
        raise TypeError(f"an array of {x.dtype} among numbers of {DIGITS} digits")
    x = np.ascontiguousarray(_plain(x)).reshape(np.shape(x))
    return np.asarray(_of_element(x.view(np.uint64), x), object)


def _number(bits, value):
    if FIRST <= bits < QUIET:
        return _NUMBERS[bits - FIRST]
    if value != value:
        raise ArithmeticError("something was computed in float64 from a number of fifty digits")
    return Decimal(value)


_of_element = np.frompyfunc(_number, 2, 1)


def _erf(x):
    return _marked_result(np.frompyfunc(erf, 1, 1)(_numbers(x)))


def _plain(x):
    return np.asarray(x)


def _bincount(rows, weights=None, minlength=0):
    rows = np.asarray(rows)
    if weights is None:
        return np.bincount(rows, minlength=minlength)
    total = np.full(max(minlength, rows.max(initial=-1) + 1), Decimal(0))
    np.add.at(total, rows, _numbers(weights))
    return total


def _einsum(spec, *operands, optimize=False):
    return np.einsum(spec, *map(_numbers, operands))


LOOPS = {
    np.bincount: _bincount,
    np.einsum: _einsum,
    np.nonzero: lambda x: np.nonzero(_numbers(x)),
    np.searchsorted: lambda sites, x, side="left": np.searchsorted(_numbers(sites), _numbers(x), side),
}
