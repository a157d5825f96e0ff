"""Compile what a training step calls before it is called, in two processes at once.

A process finds on disk what another has compiled; attention takes nearly half of the time. In a
script:

    with compiled_ahead(np.float32):
        ...  # load the data and build the model
"""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numba import config

from ..checks import as_dtype
from . import (
    adamw_update,
    attention_backward,
    attention_forward,
    cosine_backward,
    cosine_forward,
    cross_entropy_backward,
    cross_entropy_forward,
    layer_norm_backward,
    layer_norm_forward,
    linear_backward,
    linear_forward,
    merge_qkv,
    mlp_backward,
    mlp_forward,
    norm,
    patch_merging_forward,
    residual_forward,
    squared_norm,
)
from .machine.threads import num_threads


@contextmanager
def compiled_ahead(dtype=np.float32, cosine=False):
    """Compile by the block's end what a training step calls; attention in a second process.

    cosine: whether the model has cosine attention, as Swin V2. GELU between dropouts waits for its first
    call. Nothing is compiled that is found on disk. Raises TypeError for another dtype.
    """
    dtype = as_dtype(dtype)
    squared_norm(np.ones(1, dtype))
    on_disk = config.DISABLE_JIT or not norm._squares.stats.cache_misses
    writable = norm._squares.stats.cache_path is not None
    aside = not on_disk and writable and num_threads() > 1
    helper = _compile_attention_aside(dtype) if aside else None
    try:
        yield
        if not on_disk:
            compile_rest(dtype)
        if cosine:
            compile_cosine(dtype)
    except BaseException:
        if helper is not None:
            helper.kill()
        raise
    finally:
        if helper is not None:
            helper.wait()


def compile_attention(dtype):
    """Compile attention; all its variants with a gathered or a dense bias are one compilation."""
    x = np.zeros((1, 1, 1, 1), dtype)
    out, cache = attention_forward(x, x, x, np.zeros((1, 1), dtype), np.zeros((1, 1), np.int64))
    attention_backward(out, cache)


def compile_rest(dtype):
    """Compile the rest of a step whose perceptron has no dropout."""
    x, weight = np.zeros((2, 1), dtype), np.zeros((1, 1), dtype)
    bias = weight[0]
    out, cache = layer_norm_forward(x, bias, bias)
    layer_norm_backward(out, cache)
    residual_forward(x, x)
    labels = np.zeros(2, np.int64)
    cross_entropy_backward(1.0, cross_entropy_forward(x, labels)[1])
    adamw_update(*np.zeros((4, 1), dtype), step=1, lr=0.0)
    patch_merging_forward(np.zeros((1, 1, 1, 1), dtype))  # and what else moves tokens
    out, cache = linear_forward(x, weight, bias)
    linear_backward(out, cache)
    out, cache = mlp_forward(x, weight, bias, weight, bias)
    mlp_backward(out, cache)


def compile_cosine(dtype):
    """Compile cosine attention's normalisation, and the merging of gradients that lie apart."""
    x = np.zeros((1, 1, 1, 1), dtype)
    out, cache = cosine_forward(x, x, x[0])
    cosine_backward(out, cache)
    merge_qkv(x, x, x)


def _compile_attention_aside(dtype):
    """Start a second process; if it fails, the first call of attention compiles and shows the error."""
    code = f"from {__name__} import compile_attention; compile_attention({dtype.name!r})"
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
