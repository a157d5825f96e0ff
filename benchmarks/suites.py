"""The suites {name: function of the settings -> entries}; an entry is a race or a memory measurement."""

import numpy as np

from . import entry, memory, scaling, workloads
from .check import as_array
from .contestants import GATHER, MODULES, SCATTER, STEP
from .entry import BOTH, FORWARD, Entry


def attention(settings):
    works = workloads.QUICK_ATTENTION if settings.quick else workloads.ATTENTION
    return [entry.attention("attention", work, back) for work in works for back in (False, True)]


def modules(settings):
    work = workloads.Module(batch=64) if settings.quick else workloads.Module()
    parts = ((FORWARD, False), (BOTH, True))
    return [Entry("modules", work, part, MODULES, backward) for part, backward in parts]


def bias(settings):
    """Return the races of the gather alone and of the scatter-add alone."""
    works = workloads.QUICK_BIAS if settings.quick else workloads.BIAS
    parts = (("gather", GATHER, False), ("scatter-add", SCATTER, True))
    return [Entry("bias", work, *part) for work in works for part in parts]


def vit(settings):
    return [Entry("vit", workloads.Step(), "training step", STEP, settle=settled_weights)]


def settled_weights(truth, results):
    """Return the results with the truth in place of weights whose gradient g is nearly zero.

    AdamW's first step is lr · g / |g|: where g is only rounding error, so is the step's sign.
    """
    kept = dict(results)
    for name, grad in truth.items():
        if name.startswith("grad."):
            weight = name.replace("grad.", "weight.", 1)
            settled = np.abs(grad) > 1e-5 * max(np.abs(grad).max(), 1e-3)
            kept[weight] = np.where(settled, as_array(results[weight]), truth[weight])
    return kept


SUITES = {
    "attention": attention,
    "modules": modules,
    "bias": bias,
    "vit": vit,
    "memory": memory.entries,
    "scaling": scaling.entries,
}
