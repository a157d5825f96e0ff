"""Relative position bias: gather rows of a table by an index, and the scatter-add that is its gradient.

Source: Swin Transformer (arXiv 2103.14030), eq. 4; every static scheme is a table and an index.
"""

import numpy as np

from ..checks import check_natural, check_shape
from ..gate import check_entries, floating, integers
from ..types import Array


def bias_forward(table: Array, index: Array) -> Array:
    """Gather the bias: bias[h, i, j] = table[index[i, j], h].

    table: floats (R, H).
    index: integers (Lq, Lk) in [0, R).
    Returns bias (H, Lq, Lk), contiguous.
    Raises TypeError/ValueError naming what does not fit.
    """
    (table,) = floating(table=table)
    check_shape("table", table, (None, None))
    index = integers("index", index, None, None)
    check_entries("index", index, len(table))
    return np.ascontiguousarray(table[index].transpose(2, 0, 1))


def bias_backward(dbias: Array, index: Array, num_rows: int) -> Array:
    """Add up the table's gradient: dtable[r, h] = Σ over i, j with index[i, j] = r of dbias[h, i, j].

    dbias: (H, Lq, Lk).
    index: integers (Lq, Lk) in [0, num_rows).
    num_rows: R.
    Returns dtable (R, H). The sums run over i, j in row-major order, in float64 for any dtype of dbias.
    Raises TypeError/ValueError naming what does not fit.
    """
    dbias, index, num_rows = checked_scatter(dbias, index, num_rows)
    check_entries("index", index, num_rows)
    dtable, flat = np.empty((num_rows, len(dbias)), dbias.dtype), index.ravel()
    for h in range(len(dbias)):
        dtable[:, h] = np.bincount(flat, dbias[h].ravel(), num_rows)
    return dtable


def checked_scatter(dbias: Array, index: Array, num_rows: int) -> tuple[Array, Array, int]:
    """Return plain arrays and an int, the index's entries unchecked; raises TypeError/ValueError."""
    (dbias,) = floating(dbias=dbias)
    index = integers("index", index, None, None)
    check_shape("dbias", dbias, (None, *index.shape))
    return dbias, index, check_natural(num_rows=num_rows)
