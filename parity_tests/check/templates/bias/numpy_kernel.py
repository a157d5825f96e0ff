"""The bias of a table and an index in NumPy: rpb-check mykernel.py:bias --kind bias"""

import numpy as np


def bias(table, index):
    """Return (out, what backward needs), out (H, Lq, Lk). Put your gather here."""
    return table[index].transpose(2, 0, 1), (table, index)


def bias_backward(dout, cache):
    """Return the gradient by name. Put your scatter-add here: every pair adds to its row."""
    table, index = cache
    dtable = np.zeros(table.shape, np.promote_types(table.dtype, np.float32))
    np.add.at(dtable, index, dout.transpose(1, 2, 0).astype(dtable.dtype))
    return {"dtable": dtable.astype(table.dtype)}
