"""What PyTorch's contestants share: leaves, a backward by autograd, the gather without its check."""

import importlib
from contextlib import ExitStack, contextmanager

import torch

import torch_impl.ops

from ._contestant import Contestant


def tensors(given, device, leaves=()):
    """{name: tensor on the device}, those of `leaves` with a gradient."""
    made = {name: torch.tensor(a, device=device) for name, a in given.items()}
    for name in leaves:
        made[name].requires_grad_()
    return made


def contestant(call, leaves, dout, backward, device, implementation=None):
    """call() -> out, differentiated with respect to leaves {name of the gradient: tensor}."""

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
    return Contestant(run, lambda: as_its_users_would(implementation))


def finished(run, device):
    """The run, done when it returns: CUDA answers before it is."""
    if device != "cuda":
        return run

    def waited():
        result = run()
        torch.cuda.synchronize()
        return result

    return waited


@contextmanager
def as_its_users_would(implementation=None):
    """Swin's gather in place of torch_impl's, which first looks for an index outside the table.

    That look costs two passes over the index and torch.compile its whole graph; Swin does without.
    implementation: "eager" or "sdpa" for modules of torch_impl.
    """
    ops = importlib.import_module("torch_impl.ops.attention")
    before, ops.gather_bias = ops.gather_bias, swin_gather
    try:
        with ExitStack() as stack:
            if implementation is not None:
                stack.enter_context(torch_impl.ops.use_ops(implementation))
            yield
    finally:
        ops.gather_bias = before


def swin_gather(table, index):
    """table (R, H), index (L, L) -> (H, L, L), in the original's words."""
    length = index.shape[0]
    return table[index.reshape(-1)].view(length, length, -1).permute(2, 0, 1).contiguous()
