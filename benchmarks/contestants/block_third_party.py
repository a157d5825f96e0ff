"""A Swin block of timm, torchvision or transformers, with the same weights as ours."""

from dataclasses import replace

from ..workloads import weights_of
from ._libraries import block_of
from ._torch import contestant, tensors


def make(name, work, given, backward, device):
    module, call, to_ours = block_of(name, work, weights_of(work))
    module.to(device).train(backward)
    x = tensors(given, device, ["x"] if backward else [])
    leaves = {"dx": x["x"]} | dict(module.named_parameters())
    made = contestant(lambda: call(x["x"]), leaves, x["dout"], backward, device)
    return replace(made, named=lambda results: _renamed(results, to_ours))


def _renamed(results, to_ours):
    """Return the results with each gradient under the name of our parameter."""
    results = dict(results)
    kept = {name: results.pop(name) for name in ("out", "dx") if name in results}
    return kept | ({f"grad.{name}": a for name, a in to_ours(results).items()} if results else {})
