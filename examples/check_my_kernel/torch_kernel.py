"""Attention in PyTorch, differentiated by autograd: `right`, and `wrong`, where the bias is scaled."""

import torch
from torch.nn import functional


def right(q, k, v, table, index, mask=None, scale=None):
    """Return out."""
    bias = table[index].permute(2, 0, 1)[None]
    return functional.scaled_dot_product_attention(q, k, v, bias + per_sample(mask, q), scale=scale)


def wrong(q, k, v, table, index, mask=None, scale=None):
    """Return out; the scale is meant for q kᵀ alone."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    bias = table[index].permute(2, 0, 1)
    scores = scale * (q @ k.mT + bias) + per_sample(mask, q)
    return torch.softmax(scores, -1) @ v


def per_sample(mask, q):
    """Return the mask to add: sample b of shifted windows has the mask of window b mod nW."""
    if mask is None:
        return 0
    return mask.repeat(len(q) // len(mask), 1, 1, 1) if mask.dim() == 4 else mask
