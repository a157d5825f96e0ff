"""The bias of a table and an index in C, called with ctypes: rpb-check mykernel.py:bias --kind bias

For a library of your own replace the last lines by `C = ctypes.CDLL("./libmykernel.so")`.
Prototypes:

    void forward(const float *table, const int64_t *index, int64_t heads, int64_t pairs,
                 float *out);
    void backward(const float *dout, const int64_t *index, int64_t heads, int64_t pairs,
                  float *dtable);

table is (R, H), index (Lq, Lk), out (H, Lq, Lk), all row-major. pairs is Lq · Lk.
dtable comes in as 0.
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def bias(table, index):
    """Return (out, what backward needs)."""
    out = np.empty((table.shape[1], *index.shape), table.dtype)
    C.forward(*_addresses(table, index), *_sizes(table, index), *_addresses(out))
    return out, (table, index)


def bias_backward(dout, cache):
    """Return the gradient by name."""
    table, index = cache
    dtable = np.zeros_like(table)
    C.backward(*_addresses(dout, index), *_sizes(table, index), *_addresses(dtable))
    return {"dtable": dtable}


def _addresses(*arrays):
    if any(a.dtype not in (np.float32, np.int64) or not a.flags.c_contiguous for a in arrays):
        raise TypeError("this kernel takes float32 and int64, row-major")
    return [ctypes.c_void_p(a.ctypes.data) for a in arrays]


def _sizes(table, index):
    return ctypes.c_int64(table.shape[1]), ctypes.c_int64(index.size)


SOURCE = r"""
#include <stdint.h>

void forward(const float *table, const int64_t *index, int64_t H, int64_t pairs, float *out) {
    for (int64_t h = 0; h < H; h++)
        for (int64_t n = 0; n < pairs; n++) out[h * pairs + n] = table[index[n] * H + h];
}

void backward(const float *dout, const int64_t *index, int64_t H, int64_t pairs, float *dtable) {
    for (int64_t h = 0; h < H; h++)
        for (int64_t n = 0; n < pairs; n++) dtable[index[n] * H + h] += dout[h * pairs + n];
}
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "kernel.c").write_text(SOURCE)
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", "kernel.so", "kernel.c"]
    subprocess.run(command, cwd=folder, check=True)
    C = ctypes.CDLL(str(Path(folder, "kernel.so")))
