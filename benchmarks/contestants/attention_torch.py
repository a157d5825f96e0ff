"""Attention in the PyTorch twin, eager or with PyTorch's fused kernel, compiled or not."""

import torch

import torch_impl.ops

from . import SWITCHES
from ._torch import contestant, tensors

LEAVES = ("q", "k", "v", "table")


def make(name, work, given, backward, device):
    implementation, compiled = SWITCHES[name]
    attention = torch_impl.ops.attention
    if compiled:
        attention = torch.compile(attention, dynamic=False)
    x = tensors(given, device, LEAVES if backward else ())
    dout = x.pop("dout")
    leaves = {f"d{leaf}": x[leaf] for leaf in LEAVES}
    return contestant(
        lambda: attention(**x, implementation=implementation), leaves, dout, backward, device
    )
