"""A module of the PyTorch twin (attention, a Swin block), eager or fused, compiled or not."""

import torch

import torch_impl

from ..workloads import weights_of
from . import SWITCHES
from ._torch import contestant, tensors


def make(name, work, given, backward, device):
    implementation, compiled = SWITCHES[name]
    module = work.build(torch_impl, torch.float32)
    module.load_state_dict(tensors(weights_of(work), "cpu"))
    module.to(device).train(backward)
    call = torch.compile(module, dynamic=False) if compiled else module
    x = tensors(given, device, ["x"] if backward else [])
    leaves = {"dx": x["x"]} | {f"grad.{n}": p for n, p in module.named_parameters()}
    return contestant(lambda: call(x["x"]), leaves, x["dout"], backward, device, implementation)
