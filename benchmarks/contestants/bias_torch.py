"""The gather or the scatter-add alone: Swin's code, PyTorch's index_add_ and autograd."""

import torch

from ._contestant import Contestant
from ._torch import finished, swin_gather, tensors


def make(name, work, given, backward, device):
    """Make the contestant: the scatter-add if `backward`, otherwise the gather."""
    x = tensors(given, device, ["table"] if name == "torch autograd" else [])
    table, index, dbias = x["table"], x["index"], x["dbias"]
    runs = {
        "torch table[index]": lambda: {"out": swin_gather(table, index)},
        "torch index_add_": lambda: {"dtable": _index_add(dbias, index, len(table))},
        "torch autograd": _autograd(table, index, dbias),
    }
    return Contestant(finished(runs[name], device))


def _index_add(dbias, index, num_rows):
    rows = dbias.permute(1, 2, 0).reshape(-1, len(dbias))
    return dbias.new_zeros(num_rows, len(dbias)).index_add_(0, index.reshape(-1), rows)


def _autograd(table, index, dbias):
    """Return a run of the backward of Swin's gather; the forward is done once, before."""
    bias = swin_gather(table, index) if table.requires_grad else None

    def run():
        (dtable,) = torch.autograd.grad(bias, table, dbias, retain_graph=True)
        return {"dtable": dtable}

    return run
