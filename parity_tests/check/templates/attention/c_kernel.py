"""Attention with relative position bias in C, called with ctypes: rpb-check mykernel.py:attention

For a library of your own replace the last lines by `C = ctypes.CDLL("./libmykernel.so")`.
Prototypes:

    void forward(const float *q, const float *k, const float *v, const float *table,
                 const int64_t *index, const float *mask, float scale, const int64_t *sizes,
                 float *p, float *out);
    void backward(const float *dout, const float *p, const float *q, const float *k, const float *v,
                  const int64_t *index, float scale, const int64_t *sizes,
                  float *dq, float *dk, float *dv, float *dtable);

All arrays are float32 and row-major; sizes are B, H, Lq, Lk, d, dv. table and index may be NULL.
mask is (B, H, Lq, Lk) or NULL. p, (B, H, Lq, Lk), are the weights. The gradients come in as 0.
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return (out, what backward needs)."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    sizes = np.array([*q.shape[:3], k.shape[2], q.shape[3], v.shape[3]])
    p = np.empty((*q.shape[:3], k.shape[2]), q.dtype)
    out = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        mask = mask[np.arange(len(q)) % len(mask)] if mask.ndim == 4 else mask
        mask = np.ascontiguousarray(np.broadcast_to(mask, p.shape))
    _call(C.forward, q, k, v, table, index, mask, scale, sizes, p, out)
    return out, (p, q, k, v, table, index, scale, sizes)


def attention_backward(dout, cache):
    """Return the gradients by name."""
    p, q, k, v, table, index, scale, sizes = cache
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    dtable = None if table is None else np.zeros_like(table)
    _call(C.backward, dout, p, q, k, v, index, scale, sizes, dq, dk, dv, dtable)
    return {"dq": dq, "dk": dk, "dv": dv} | ({} if dtable is None else {"dtable": dtable})


def _call(function, *arguments):
    """Call a function of the library with NumPy arrays, by address, None (NULL) and numbers."""
    kept = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    if any(a.dtype not in (np.float32, np.int64) for a in kept if isinstance(a, np.ndarray)):
        raise TypeError("this kernel takes float32 and int64")
    function(
        *(
            ctypes.c_float(a)
            if isinstance(a, float)
            else ctypes.c_void_p(a if a is None else a.ctypes.data)
            for a in kept
        )
    )


SOURCE = r"""
#include <math.h>
#include <stdint.h>
#define SIZES int64_t B = n[0], H = n[1], Lq = n[2], Lk = n[3], d = n[4], dv = n[5]
#define EACH_QUERY for (int64_t r = 0; r < B * H * Lq; r++)  /* r = (b * H + h) * Lq + i */

void forward(const float *q, const float *k, const float *v, const float *table,
             const int64_t *index, const float *mask, float scale, const int64_t *n,
             float *p, float *out) {
    SIZES;
    EACH_QUERY {
        int64_t bh = r / Lq, h = bh % H, i = r % Lq;
        float *s = p + r * Lk, largest = -INFINITY, total = 0;
        for (int64_t j = 0; j < Lk; j++) {
            float dot = 0;
            for (int64_t c = 0; c < d; c++) dot += q[r * d + c] * k[(bh * Lk + j) * d + c];
            s[j] = scale * dot;
            if (table) s[j] += table[index[i * Lk + j] * H + h];
            if (mask) s[j] += mask[r * Lk + j];
            largest = fmaxf(largest, s[j]);
        }
        for (int64_t j = 0; j < Lk; j++) total += s[j] = expf(s[j] - largest);
        for (int64_t c = 0; c < dv; c++) out[r * dv + c] = 0;
        for (int64_t j = 0; j < Lk; j++) {
            s[j] /= total;
            for (int64_t c = 0; c < dv; c++) out[r * dv + c] += s[j] * v[(bh * Lk + j) * dv + c];
        }
    }
}

void backward(const float *dout, const float *p, const float *q, const float *k, const float *v,
              const int64_t *index, float scale, const int64_t *n,
              float *dq, float *dk, float *dvalue, float *dtable) {
    SIZES;
    EACH_QUERY {
        int64_t bh = r / Lq, h = bh % H, i = r % Lq;
        float dp[Lk], delta = 0;
        for (int64_t j = 0; j < Lk; j++) {
            dp[j] = 0;
            for (int64_t c = 0; c < dv; c++) {
                dp[j] += dout[r * dv + c] * v[(bh * Lk + j) * dv + c];
                dvalue[(bh * Lk + j) * dv + c] += p[r * Lk + j] * dout[r * dv + c];
            }
            delta += p[r * Lk + j] * dp[j];
        }
        for (int64_t j = 0; j < Lk; j++) {
            float ds = p[r * Lk + j] * (dp[j] - delta);
            if (dtable) dtable[index[i * Lk + j] * H + h] += ds;  /* all pairs of a row add up */
            for (int64_t c = 0; c < d; c++) {
                dq[r * d + c] += scale * ds * k[(bh * Lk + j) * d + c];
                dk[(bh * Lk + j) * d + c] += scale * ds * q[r * d + c];
            }
        }
    }
}
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "kernel.c").write_text(SOURCE)
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", "kernel.so", "kernel.c", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    C = ctypes.CDLL(str(Path(folder, "kernel.so")))
