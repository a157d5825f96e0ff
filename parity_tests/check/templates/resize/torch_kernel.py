"""A table of offsets for another window in PyTorch: rpb-check mykernel.py:resize --kind resize

Bicubic only. A function that takes `method` is also asked "linear" and "geometric".
"""

import torch


def resize(table, window_size, new_window_size, num_prefix_tokens=0):
    """Return (R', H); autograd gives dtable. Put your kernel here."""
    old = [2 * size - 1 for size in window_size]
    rows = torch.Size(old).numel()  # after them come three rows of prefix tokens, which are copied
    grid = table[:rows].to(torch.promote_types(table.dtype, torch.float32)).reshape(*old, -1)
    for axis, size in enumerate(new_window_size):  # bicubic interpolation goes axis by axis
        lines = grid.movedim(axis, -1)
        flat = lines.reshape(1, -1, 1, lines.shape[-1])
        flat = torch.nn.functional.interpolate(flat, (1, 2 * size - 1), mode="bicubic")
        grid = flat.reshape(*lines.shape[:-1], -1).movedim(-1, axis)
    return torch.cat([grid.reshape(-1, table.shape[1]).to(table.dtype), table[rows:]])
