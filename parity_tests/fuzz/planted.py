"""Plant faults, one at a time, and print {plant: the kinds of faults reported} as JSON."""

import ctypes
import json
from unittest import mock

import numpy as np

import numpy_ref
import numpy_ref.kernels
import numpy_ref.ops
import torch_impl
import torch_impl.ops

from . import guarded, server
from .judge import buffers

CALL = "gelu(x=normal((3, 4), 'float64', 0))"
FORTRAN = "gelu(x=fortran(normal((3, 4), 'float64', 0)))  # spoilt: x:fortran"
REFUSED = "gelu(x=cast(normal((3, 4), 'float64', 0), 'int64'))"
REFUSED += "  # spoilt: x:cast int64"
RATE = "learning_rate(step=7, lr=float('nan'), total_steps=9)  # spoilt: lr:float('nan')"


def reads_past_the_end(x):
    ctypes.string_at(x.ctypes.data + x.nbytes, 1)
    return right(x)


def reads_before_the_beginning(x):
    ctypes.string_at(x.ctypes.data - 1, 1)
    return right(x)


def writes_past_its_result(x):
    out, cache = right(x)
    written = buffers.empty(x.shape, x.dtype)
    ctypes.memset(written.ctypes.data, 0, written.nbytes + 1)
    return out, cache


def writes_past_a_small_array(x):
    small = np.ones(300)  # from malloc; free checks the bytes after it
    ctypes.memset(small.ctypes.data, 255, small.nbytes + 64)
    del small
    return right(x)


def hangs(x):
    while True:
        pass


def raises_another_type(x):
    raise KeyError("x")


def names_nothing(x):
    raise ValueError("it does not fit")


def refuses_by_another_type(x):
    raise ValueError("x has dtype int64")


def changes_its_input(x):
    x += 1
    return right(x)


def differs_a_little(x):
    out, cache = right(x)
    return out + 1e-9, cache


def gives_another_dtype(x):
    out, cache = right(x)
    return out.astype(np.float32), cache


def reads_memory_in_order(x):
    return right(x.T.reshape(x.shape) if x.flags.f_contiguous else x)


def takes_what_the_other_refuses(x):
    return right(x.astype(np.float64))


def accepts_nothing(x):
    raise ValueError("x is nothing that it takes")


def accepts_anything(**options):
    return 1.0


right = numpy_ref.kernels.gelu_forward
KERNEL = ((numpy_ref.kernels, "gelu_forward"),)
OP = ((numpy_ref.ops, "gelu_forward"),)
TORCH = ((torch_impl.ops, "gelu"),)
RATES = ((numpy_ref, "learning_rate"), (torch_impl, "learning_rate"))
PLANTS = {  # name: (where, call, the kind that must be reported)
    reads_past_the_end: (KERNEL, CALL, "crash"),
    reads_before_the_beginning: (KERNEL, CALL, "crash"),
    writes_past_its_result: (KERNEL, CALL, "crash"),
    writes_past_a_small_array: (KERNEL, CALL, "crash"),
    hangs: (KERNEL, CALL, "hang"),
    raises_another_type: (KERNEL, CALL, "KeyError"),
    names_nothing: (KERNEL, CALL, "no name"),
    refuses_by_another_type: (KERNEL, REFUSED, "other type"),
    changes_its_input: (KERNEL, CALL, "modified"),
    differs_a_little: (KERNEL, CALL, "differs"),
    gives_another_dtype: (KERNEL, CALL, "differs"),
    reads_memory_in_order: (KERNEL + OP, FORTRAN, "spelling"),
    takes_what_the_other_refuses: (KERNEL, REFUSED, "one accepts"),
    accepts_nothing: (TORCH, CALL, "one accepts"),
    accepts_anything: (RATES, RATE, "accepted"),
}


def main():
    reported = {"nothing": _kinds(CALL), "nothing, Fortran order": _kinds(FORTRAN)}
    for plant, (places, call, _) in PLANTS.items():
        guarded.SIDE = "begin" if plant is reads_before_the_beginning else "end"
        patches = [mock.patch.object(module, name, plant) for module, name in places]
        for patch in patches:
            patch.start()
        reported[plant.__name__] = _kinds(call, silence=3 if plant is hangs else server.SILENCE)
        for patch in patches:
            patch.stop()
    with mock.patch.object(numpy_ref.kernels, "gelu_forward", reads_past_the_end):
        report = server.fuzz(5, targets=["gelu"])
    reported["goes on"] = [report.calls, sum(count for count, *_ in report.faults.values())]
    print(json.dumps(reported))


def _kinds(call, silence=server.SILENCE):
    return sorted({kind for kind, *_ in server.replay(call, silence).faults})


if __name__ == "__main__":
    main()
