"""The suites {name: function of the settings -> entries}; an entry is a race or a memory measurement."""

import numpy as np

from . import entry, memory, scaling, workloads
from .check import as_array
from .contestants import GATHER, MODULES, SCATTER, STEP, SWIN_BLOCK, SWIN_STEP
from .entry import BOTH, FORWARD, STEP_PART, Entry


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
    return [Entry("vit", workloads.Step(), STEP_PART, STEP, settle=settled_weights)]


def swin(settings):
    """Return the races of a block of Swin-T and of training steps, and their peak memory."""
    blocks = workloads.QUICK_SWIN_BLOCKS if settings.quick else workloads.SWIN_BLOCKS
    steps = workloads.QUICK_SWIN_STEPS if settings.quick else workloads.SWIN_STEPS
    parts = ((FORWARD, False), (BOTH, True))
    races = [Entry("swin", work, part, SWIN_BLOCK, back) for work in blocks for part, back in parts]
    races += [Entry("swin", work, STEP_PART, SWIN_STEP, settle=settled_weights) for work in steps]
    return races + memory.of_swin(settings)


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
    "swin": swin,
    "memory": memory.entries,
    "scaling": scaling.entries,
}
