"""Relative position bias: gather rows of a table by an index, and the scatter-add that is its gradient.

Source: Swin Transformer (arXiv 2103.14030), eq. 4; every static scheme is a table and an index.
"""

import numpy as np

from ..checks import check_floating, check_index, check_shape


def bias_forward(table, index):
    """bias[h, i, j] = table[index[i, j], h].

    table (R, H) float, index (Lq, Lk) integer in [0, R) -> bias (H, Lq, Lk), contiguous.
    Raises TypeError/ValueError for a wrong dtype, shape or an index outside the table.
    """
    check_floating(table=table)
    check_shape("table", table, (None, None))
    check_index(index, table.shape[0])
    return np.ascontiguousarray(table[index].transpose(2, 0, 1))


def bias_backward(dbias, index, num_rows):
    """dtable[r, h] = Σ over i, j with index[i, j] = r of dbias[h, i, j].

    dbias (H, Lq, Lk), index (Lq, Lk) in [0, num_rows) -> dtable (num_rows, H).
    The sums run over i, j in row-major order and in float64, whatever the dtype of dbias.
    """
    check_floating(dbias=dbias)
    check_index(index, num_rows)
    check_shape("dbias", dbias, (None, *np.shape(index)))
    flat = np.ravel(index)
    dtable = [np.bincount(flat, dbias[h].ravel(), num_rows) for h in range(len(dbias))]
    return np.stack(dtable, axis=1).astype(dbias.dtype)
