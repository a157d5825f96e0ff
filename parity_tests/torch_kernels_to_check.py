"""PyTorch kernels for the tests of `check`: a right one and one with three bugs."""

import torch


def attention(q, k, v, table, index, mask=None, scale=None):
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * q @ k.transpose(-1, -2) + table[index].permute(2, 0, 1)
    if mask is not None:
        scores = scores + (mask.repeat(len(q) // len(mask), 1, 1, 1) if mask.dim() == 4 else mask)
    return torch.softmax(scores, -1) @ v


def three_bugs(q, k, v, table, index, mask=None, scale=None):
    """The bias is scaled, queries and keys are swapped in the index, the mask is the wrong window's."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    index = index.T if index.shape[0] == index.shape[1] else index
    scores = scale * (q @ k.transpose(-1, -2) + table[index].permute(2, 0, 1))
    if mask is not None:
        repeats = len(q) // len(mask)
        scores = scores + (mask.repeat_interleave(repeats, 0) if mask.dim() == 4 else mask)
    return torch.softmax(scores, -1) @ v
