"""Vectors under an index: for the scores (q · vector) and for the values (P-weighted sum of vectors).

The schemes that look at the query are made of these. Source: Shaw et al. (arXiv 1803.02155), eq. 3, 4.
The products below multiply a row to which no pair refers by zero: an infinity or NaN there gives NaN.
Autocast does not lower their precision.
"""

from torch import Tensor

from ..gate import check_entries, check_shape, floating, integers
from ..wide import wide, without_autocast


def score_lookup(q: Tensor, embedding: Tensor, index: Tensor) -> Tensor:
    """Return bias[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]].

    The products with all rows come first, and the index picks among them. Half precision is computed in
    float32 and rounded once, forward and backward: the gradients of equal rows are added up before they
    are multiplied by q.

    q: (B, H, Lq, d).
    embedding: (H, R, d), or (1, R, d) shared by the heads.
    index: integers (Lq, Lk) in [0, R).
    Returns bias (B, H, Lq, Lk). Raises TypeError/ValueError naming what does not fit.
    """
    q, embedding, index = checked_lookup("q", q, embedding, index)
    try:
        return products(q, embedding).gather(-1, index.expand(*q.shape[:2], -1, -1)).to(q.dtype)
    except RuntimeError:
        check_entries("index", index, embedding.shape[1])
        raise


def products(q: Tensor, embedding: Tensor) -> Tensor:
    """Return q · embedding of every row, (B, H, Lq, R), half precision in float32.

    q, embedding: as in `score_lookup`, checked.
    """
    with without_autocast(q):
        return wide(q) @ wide(embedding).transpose(-1, -2)


def value_lookup(p: Tensor, embedding: Tensor, index: Tensor) -> Tensor:
    """Return out[b, h, i] = Σ_j p[b, h, i, j] · embedding[h, index[i, j]].

    The probabilities of equal rows are added up first. Half precision is computed in float32 and rounded
    once.

    p: (B, H, Lq, Lk).
    embedding: (H, R, d), or (1, R, d) shared by the heads.
    index: integers (Lq, Lk) in [0, R).
    Returns out (B, H, Lq, d). Raises TypeError/ValueError naming what does not fit.
    """
    p, embedding, index = checked_lookup("p", p, embedding, index)
    sums = wide(p).new_zeros(*p.shape[:3], embedding.shape[1])
    try:
        sums = sums.scatter_add(-1, index.expand(*p.shape[:2], -1, -1), wide(p))
    except RuntimeError:
        check_entries("index", index, embedding.shape[1])
        raise
    with without_autocast(p):
        return (sums @ wide(embedding)).to(p.dtype)


def checked_lookup(
    name: str, x: Tensor, embedding: Tensor, index: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the arguments, the index as int64; raises TypeError/ValueError naming what does not fit.

    PyTorch itself checks the entries of the index, where that does not stall a GPU.

    name, x: "q" with (B, H, Lq, d), or "p" with (B, H, Lq, Lk).
    """
    x, embedding = floating(**{name: x}, embedding=embedding)
    check_shape(name, x, (None, None, None, None))
    check_embedding("embedding", embedding, x.shape[1], x.shape[3] if name == "q" else None)
    return x, embedding, integers("index", index, x.shape[2], None if name == "q" else x.shape[3])


def check_embedding(name: str, embedding: Tensor, heads: int, dim: int | None) -> None:
    """Raise ValueError unless the shape is (1 or heads, R, dim); None: any dim."""
    check_shape(name, embedding, (None, None, dim))
    if len(embedding) not in (1, heads):
        raise ValueError(f"{name} has shape {tuple(embedding.shape)}, expected 1 or {heads} heads first")
