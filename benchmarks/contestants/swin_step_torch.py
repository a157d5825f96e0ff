"""A training step of a Swin Transformer on PyTorch: the twin's, or another library's."""

import torch

import torch_impl
from torch_impl.optim import clip_grad_norm

from ..workloads import weights_of
from . import SWITCHES
from ._contestant import Contestant
from ._libraries import model_of
from ._step import CLIP, LR, SMOOTHING, Stepped, left_by, optimizer_of
from ._torch import chosen, finished, tensors


def make(name, work, given, backward, device):
    weights = weights_of(work)
    if name in SWITCHES:
        implementation, compiled = SWITCHES[name]
        model, to_ours = work.build(torch_impl, torch.float32), dict
        model.load_state_dict(tensors(weights, "cpu"))
        call = torch.compile(model, dynamic=False) if compiled else model
    else:
        implementation = None
        model, call, to_ours = model_of(name, work, weights)
    model.to(device).train()
    x, optimizer = tensors(given, device), optimizer_of(torch_impl, model)

    def step():
        model.zero_grad()
        loss = torch_impl.ops.cross_entropy(call(x["images"]), x["labels"], SMOOTHING)
        value = loss.item()
        loss.backward()
        norm = clip_grad_norm(model.parameters(), CLIP)
        optimizer.step(LR)
        return Stepped(value, norm)

    def named(result):
        parameters = dict(model.named_parameters())
        data = to_ours({n: p.detach() for n, p in parameters.items()})
        grads = to_ours({n: p.grad for n, p in parameters.items()})
        return left_by(result, zip(data, data, strict=True), lambda n: (data[n], grads[n]))

    return Contestant(finished(step, device), lambda: chosen(implementation), named)
