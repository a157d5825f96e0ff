"""Residual connection with a drawn multiplier (dropout 1207.0580, stochastic depth 1603.09382)."""


def residual(x, branch, multiplier=None):
    """x + multiplier · branch; multiplier of x's shape, (B, 1, …) or None for 1."""
    return x + (branch if multiplier is None else branch * multiplier)


def dropout(x, multiplier):
    """multiplier · x, shapes as in `residual`."""
    return x * multiplier
