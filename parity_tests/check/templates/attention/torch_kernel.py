"""Attention with relative position bias in PyTorch: rpb-check mykernel.py:attention"""

import torch


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return out; autograd gives the gradients. Put your kernel here.

    Two ways to bring a backward of your own: call a torch.autograd.Function here; or return
    (out, cache) and write attention_backward(dout, cache) -> {"dq": …, "dk": …, …} in this file.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * (q @ k.transpose(-1, -2))
    if table is not None:
        wide = torch.promote_types(table.dtype, torch.float32)  # in which dtable is summed
        bias = table.to(wide)[index].permute(2, 0, 1)  # (Lq, Lk, H) -> (H, Lq, Lk)
        scores = scores + bias.to(scores.dtype)
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        scores = scores + (mask.repeat(len(q) // len(mask), 1, 1, 1) if mask.dim() == 4 else mask)
    return torch.softmax(scores, -1) @ v
