"""The bias of a table and an index in PyTorch: rpb-check mykernel.py:bias --kind bias"""

import torch


def bias(table, index):
    """Return out (H, Lq, Lk); autograd gives dtable. Put your kernel here."""
    rows = torch.nn.functional.embedding(index, table)
    return rows.permute(2, 0, 1)
