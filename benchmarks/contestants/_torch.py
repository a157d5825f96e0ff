"""What the PyTorch contestants share: inputs, a backward by autograd, Swin's own gather."""

from contextlib import nullcontext

import torch

import torch_impl.ops

from ._contestant import Contestant


def tensors(given, device, leaves=()):
    """Return {name: tensor on the device}; the ones named in `leaves` require a gradient."""
    made = {name: torch.tensor(a, device=device) for name, a in given.items()}
    for name in leaves:
        made[name].requires_grad_()
    return made


def contestant(call, leaves, dout, backward, device, implementation=None):
    """Return a Contestant that runs call() -> out and, if `backward`, differentiates it.

    leaves: {name of the gradient: tensor}, what to differentiate with respect to.
    dout: the gradient of the loss with respect to out.
    """

    def forward():
        with torch.no_grad():
            return {"out": call()}

    def both():
        for leaf in leaves.values():
            leaf.grad = None
        out = call()
        out.backward(dout)
        return {"out": out.detach(), **{name: leaf.grad for name, leaf in leaves.items()}}

    run = finished(both if backward else forward, device)
    return Contestant(run, lambda: chosen(implementation))


def chosen(implementation):
    """Return a context in which torch_impl prefers this implementation of attention; None: no change."""
    return nullcontext() if implementation is None else torch_impl.ops.use_ops(implementation)


def finished(run, device):
    """Return `run`, on CUDA followed by a wait: CUDA calls return before the work is done."""
    if device != "cuda":
        return run

    def waited():
        result = run()
        torch.cuda.synchronize()
        return result

    return waited


def swin_gather(table, index):
    """Gather table (R, H) by index (L, L) into (H, L, L), written as in Swin's own code."""
    length = index.shape[0]
    return table[index.reshape(-1)].view(length, length, -1).permute(2, 0, 1).contiguous()
