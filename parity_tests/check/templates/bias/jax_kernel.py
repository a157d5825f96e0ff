"""The bias of a table and an index in JAX: rpb-check mykernel.py:bias --kind bias"""

import jax


@jax.jit
def bias(table, index):
    """Return out (H, Lq, Lk); jax.vjp gives dtable. Put your kernel here."""
    return table[index].transpose(2, 0, 1)
