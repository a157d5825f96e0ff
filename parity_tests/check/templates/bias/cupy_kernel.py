"""The bias of a table and an index in CuPy: rpb-check mykernel.py:bias --kind bias"""

import cupy as cp


def bias(table, index):
    """Return (out, what backward needs), out (H, Lq, Lk). Put your gather here."""
    return table[index].transpose(2, 0, 1), (table, index)


def bias_backward(dout, cache):
    """Return the gradient by name. Put your scatter-add here: every pair adds to its row."""
    table, index = cache
    dtable = cp.zeros(table.shape, cp.promote_types(table.dtype, cp.float32))
    cp.add.at(dtable, index, dout.transpose(1, 2, 0).astype(dtable.dtype))
    return {"dtable": dtable.astype(table.dtype)}
