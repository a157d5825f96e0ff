"""Run the README's snippet with either twin: `python -m examples.quickstart numpy` (or torch)."""

import sys

import numpy as np


def run_numpy():
    from numpy_ref import MultiHeadAttention, RelativePositionBias

    rpb = RelativePositionBias(num_heads=4, window_size=(7, 7), bias_type="2d")
    print("bias", rpb().shape)  # (4, 49, 49)
    attn = MultiHeadAttention(embed_dim=96, num_heads=4, rpb_kwargs={"window_size": (7, 7)})
    x = np.random.default_rng(0).standard_normal((2, 49, 96), dtype=np.float32)
    out = attn(x)
    print("out", out.shape)  # (2, 49, 96)
    dx = attn.backward(out)  # the gradient of ½‖out‖²
    print("dx", dx.shape)  # (2, 49, 96)
    print("dtable", attn.rel_pos.relative_position_bias_table.grad.shape)  # (169, 4)


def run_torch():
    import torch

    from torch_impl import MultiHeadAttention, RelativePositionBias

    rpb = RelativePositionBias(num_heads=4, window_size=(7, 7), bias_type="2d")
    print("bias", tuple(rpb().shape))  # (4, 49, 49)
    attn = MultiHeadAttention(embed_dim=96, num_heads=4, rpb_kwargs={"window_size": (7, 7)})
    x = torch.randn(2, 49, 96, requires_grad=True)
    out = attn(x)
    print("out", tuple(out.shape))  # (2, 49, 96)
    out.backward(out.detach())  # the gradient of ½‖out‖²
    print("dx", tuple(x.grad.shape))  # (2, 49, 96)
    print("dtable", tuple(attn.rel_pos.relative_position_bias_table.grad.shape))  # (169, 4)


if __name__ == "__main__":
    twins = {"numpy": run_numpy, "torch": run_torch}
    if len(sys.argv) != 2 or sys.argv[1] not in twins:
        sys.exit("usage: python -m examples.quickstart numpy|torch")
    twins[sys.argv[1]]()
