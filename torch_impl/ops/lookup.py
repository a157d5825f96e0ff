"""Vectors under an index: for the scores (q · vector) and for the values (P-weighted sum of vectors).

Source: Shaw et al. (arXiv 1803.02155), eq. 3 and 4; schemes that look at the query are made of these.
The product multiplies a row that no pair refers to by zero, so an infinity or NaN there gives NaN.
"""

from torch import Tensor

from ..gate import check_entries, check_shape, floating, integers
from ..wide import wide


def score_lookup(q: Tensor, embedding: Tensor, index: Tensor) -> Tensor:
    """bias[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]].

    q (B, H, Lq, d), embedding (H or 1, R, d), index (Lq, Lk) integers -> (B, H, Lq, Lk). The products
    with all rows come first, the index picks among them. Half precision is computed in float32 and
    rounded once, forward and backward: the gradients of equal rows are added up before they meet q.
    Raises TypeError/ValueError.
    """
    q, embedding, index = checked_lookup("q", q, embedding, index)
    product = wide(q) @ wide(embedding).transpose(-1, -2)  # (B, H, Lq, R)
    try:
        return product.gather(-1, index.expand(*q.shape[:2], -1, -1)).to(q.dtype)
    except RuntimeError:
        check_entries("index", index, embedding.shape[1])
        raise


def value_lookup(p: Tensor, embedding: Tensor, index: Tensor) -> Tensor:
    """out[b, h, i] = Σ_j p[b, h, i, j] · embedding[h, index[i, j]].

    p (B, H, Lq, Lk), embedding (H or 1, R, d), index (Lq, Lk) integers -> (B, H, Lq, d). Probabilities
    of equal rows are added up first; half precision is computed in float32 and rounded once.
    Raises TypeError/ValueError.
    """
    p, embedding, index = checked_lookup("p", p, embedding, index)
    sums = wide(p).new_zeros(*p.shape[:3], embedding.shape[1])
    try:
        sums = sums.scatter_add(-1, index.expand(*p.shape[:2], -1, -1), wide(p))
    except RuntimeError:
        check_entries("index", index, embedding.shape[1])
        raise
    return (sums @ wide(embedding)).to(p.dtype)


def checked_lookup(
    name: str, x: Tensor, embedding: Tensor, index: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Checked, the index as int64; x is q (B, H, Lq, d) or p (B, H, Lq, Lk).

    Raises TypeError/ValueError. What is in the index PyTorch checks itself, where that does not stall a
    GPU.
    """
    x, embedding = floating(**{name: x}, embedding=embedding)
    check_shape(name, x, (None, None, None, None))
    check_shape("embedding", embedding, (None, None, x.shape[3] if name == "q" else None))
    if len(embedding) not in (1, x.shape[1]):
        raise ValueError(
            f"embedding has shape {tuple(embedding.shape)}, expected 1 or {x.shape[1]} heads first"
        )
    return x, embedding, integers("index", index, x.shape[2], None if name == "q" else x.shape[3])
