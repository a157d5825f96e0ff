"""What the tests of the converter share."""

import numpy as np
import torch

from experiments.convert.reading import read
from experiments.convert.tensors import as_tensor

from .. import budget
from ..both import array
from .agreement import TWINS

BUFFERS = ("relative_position_index", "relative_coords_table", "attn_mask")


def file_of(form, model, folder, original_name=lambda name: name):
    """Return {name: Tensor} as the library saves the model.

    For form "microsoft" the model is timm's: its tensors under the original's names, with its buffers.
    """
    if form == "transformers":
        model.save_pretrained(folder)
        return read(folder)[0]
    state = model.state_dict()
    if form == "microsoft":
        state = {original_name(name): tensor for name, tensor in state.items()}
        state |= {name: buffer for name, buffer in model.named_buffers() if name.endswith(BUFFERS)}
    return {name: as_tensor(name, tensor.numpy()) for name, tensor in state.items()}


def same_bits(tensors, back):
    """Return a budget.Row per tensor that went there and back; raise AssertionError if names differ.

    A file may have other names than the ones it is written with: those of the report's source.
    """
    assert tensors.keys() == back.keys(), f"names differ: {sorted(tensors.keys() ^ back.keys())}"
    return [
        budget.exact(f"there and back {name}", bits(tensor), bits(back[name]))
        for name, tensor in tensors.items()
    ]


def bits(tensor):
    return np.ascontiguousarray(tensor.array).view(f"u{tensor.array.itemsize}")


def random_norms(model, rng):
    """Set the statistics of a model's batch norms to random numbers; return the model."""
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.tensor(rng.standard_normal(tuple(buffer.shape))))
        if name.endswith("running_var"):
            buffer.copy_(torch.tensor(rng.uniform(0.5, 2, tuple(buffer.shape))))
    return model


def same_bias(ours, state, prefix, theirs, q=None, **call):
    """Return a budget.Row per twin: the bias of our scheme with its part of a state, and the original's.

    ours: an Ours. theirs: (heads, queries, keys); with q (batch, heads, queries, d) that of the query.
    call: further arguments of ours.
    """
    own = {n.removeprefix(prefix): t.array for n, t in state.items() if n.startswith(prefix)}
    found = []
    for twin in TWINS:
        module = ours.build(twin, "float64")
        values = own if twin == "numpy" else {name: torch.tensor(a) for name, a in own.items()}
        module.load_state_dict(values)
        name = f"{prefix}{twin} bias"
        if q is None:
            found.append(budget.exact(name, array(theirs), array(module())))
        else:
            bias = module(q if twin == "numpy" else torch.tensor(q), **call)
            found.append(budget.float64(name, array(theirs), array(bias)))
    return found
