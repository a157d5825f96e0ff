"""The bias of a table and an index in MLX: rpb-check mykernel.py:bias --kind bias"""

import mlx.core as mx


def bias(table, index):
    """Return (out, what backward needs), out (H, Lq, Lk). Put your gather here."""
    return table[index].transpose(2, 0, 1), (table, index)


def bias_backward(dout, cache):
    """Return the gradient by name. Put your scatter-add here: every pair adds to its row."""
    table, index = cache
    pairs = dout.transpose(1, 2, 0).astype(mx.float32)
    dtable = mx.zeros(table.shape, mx.float32).at[index].add(pairs)
    return {"dtable": dtable.astype(table.dtype)}
