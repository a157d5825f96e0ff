"""Attention in C, compiled when it is first called, and its bugs: see c/."""

import atexit
import ctypes
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .windows import bugs_in, window_of

SOURCES = sorted((Path(__file__).parent / "c").glob("*.c"))
COMPILER = shutil.which("cc") or shutil.which("gcc")
NAMES = re.findall(r"X\((\w+)\)", (Path(__file__).parent / "c" / "attention.h").read_text())
BUGS = frozenset(NAMES)  # in the header in the order of their bits
SIZES = ("batch", "heads", "q_len", "k_len", "dim", "v_dim", "rows", "masks", "mask_heads")
WINDOW = ("known", "qh", "qw", "kh", "kw", "prefix")
ARRAYS = ("q", "k", "v", "table", "mask", "index")


class Attention(ctypes.Structure):
    """The struct of attention.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (*SIZES, *WINDOW)),
        ("bugs", ctypes.c_uint64),
        ("scale", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ARRAYS),
    ]


@cache
def library(real):
    """Return the library for `real`, "float" or "double"; raises RuntimeError without a compiler."""
    if COMPILER is None:
        raise RuntimeError("there is no C compiler: neither cc nor gcc is on the PATH")
    folder = TemporaryDirectory(prefix="rpb-planted-")
    atexit.register(folder.cleanup)
    made = Path(folder.name) / "attention.so"
    flags = [
        "-std=c11",
        "-D_GNU_SOURCE",
        "-Wall",
        "-O2",
        "-fPIC",
        "-shared",
        f"-DREAL={real}",
    ]
    subprocess.run([COMPILER, *flags, *map(str, SOURCES), "-lm", "-o", str(made)], check=True)
    return ctypes.CDLL(str(made))


def __getattr__(name):
    """Return the forward or, for a name in _backward, the backward function with the bugs of a name."""
    bugs = bugs_in(name.removesuffix("_backward"), BUGS)
    bits = sum(1 << NAMES.index(bug) for bug in bugs)

    def attention(q, k, v, table=None, index=None, mask=None, scale=None):
        return forward(bits, q, k, v, table, index, mask, scale)

    attention.__name__ = name
    return backward if name.endswith("_backward") else attention


def forward(bits, q, k, v, table, index, mask, scale):
    arrays = {"q": q, "k": k, "v": v, "table": table, "index": index}
    arrays["mask"] = None if mask is None else whole_mask(mask.astype(q.dtype), q, k)
    arrays = {name: x if x is None else np.ascontiguousarray(x) for name, x in arrays.items()}
    asked = structure(bits, arrays, scale)
    out = np.empty((*q.shape[:3], v.shape[-1]), q.dtype)
    lse = np.empty((*q.shape[:2], max(asked.q_len, asked.k_len)), q.dtype)
    library_of(q).attention_forward(ctypes.byref(asked), pointer(out), pointer(lse))
    return out, (asked, arrays, out, lse)


def backward(dout, cache):
    asked, arrays, out, lse = cache
    wanted = [name for name in ("q", "k", "v", "table") if arrays[name] is not None]
    grads = {f"d{name}": np.zeros_like(arrays[name]) for name in wanted}
    given = [np.ascontiguousarray(dout), out, lse, *grads.values()]
    given += [None] * (7 - len(given))
    library_of(out).attention_backward(ctypes.byref(asked), *map(pointer, given))
    return grads


def structure(bits, arrays, scale):
    """Return what C gets; the arrays must outlive it."""
    q, k, v, table, mask = (arrays[name] for name in ("q", "k", "v", "table", "mask"))
    sizes = (*q.shape[:3], k.shape[2], q.shape[3], v.shape[3], 0 if table is None else len(table))
    masks = (1, 1) if mask is None else mask.shape[:2]
    window = table is not None and window_of(arrays["index"], table)
    places = (1, *window[0], *window[1], window[2]) if window else (0,) * len(WINDOW)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return Attention(*sizes, *masks, *places, bits, scale, *(pointer(arrays[name]) for name in ARRAYS))


def whole_mask(mask, q, k):
    """Return the mask as (nW or 1, 1 or H, Lq, Lk)."""
    windows = mask.shape[0] if mask.ndim == 4 else 1
    heads = mask.shape[-3] if mask.ndim > 2 else 1
    return np.broadcast_to(mask, (windows, heads, q.shape[2], k.shape[2]))


def library_of(x):
    return library({"float32": "float", "float64": "double"}[x.dtype.name])


def pointer(x):
    return None if x is None else ctypes.c_void_p(x.ctypes.data)
