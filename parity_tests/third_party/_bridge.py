"""What the tests of the converter share."""

import numpy as np

from experiments.convert.reading import read
from experiments.convert.tensors import as_tensor

from .. import budget

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
