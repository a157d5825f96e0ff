"""Vectors under an index: for the scores (q · vector) and for the values (P-weighted sum of vectors).

Source: Shaw et al. (arXiv 1803.02155), eq. 3 and 4; schemes that look at the query are made of these.
"""

from ..wide import wide


def score_lookup(q, embedding, index):
    """bias[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]].

    q (B, H, Lq, d), embedding (H or 1, R, d), index (Lq, Lk) int64 -> (B, H, Lq, Lk). The products with
    all rows come first, the index picks among them. Half precision is computed in float32 and rounded
    once, forward and backward: the gradients of equal rows are added up before they meet q.
    """
    check_lookup("q", q, embedding, index)
    product = wide(q) @ wide(embedding).transpose(-1, -2)  # (B, H, Lq, R)
    return product.gather(-1, index.expand(*q.shape[:2], -1, -1)).to(q.dtype)


def value_lookup(p, embedding, index):
    """out[b, h, i] = Σ_j p[b, h, i, j] · embedding[h, index[i, j]].

    p (B, H, Lq, Lk), embedding (H or 1, R, d), index (Lq, Lk) int64 -> (B, H, Lq, d). Probabilities of
    equal rows are added up first; half precision is computed in float32 and rounded once.
    """
    check_lookup("p", p, embedding, index)
    sums = wide(p).new_zeros(*p.shape[:3], embedding.shape[1])
    sums = sums.scatter_add(-1, index.expand(*p.shape[:2], -1, -1), wide(p))
    return (sums @ wide(embedding)).to(p.dtype)


def check_lookup(name, x, embedding, index):
    """Shapes of q (B, H, Lq, d) or p (B, H, Lq, Lk) with the others; raises ValueError.

    What is in the index PyTorch checks itself, where that does not stall a GPU.
    """
    for what, tensor, axes in ((name, x, 4), ("embedding", embedding, 3), ("index", index, 2)):
        if tensor.dim() != axes:
            raise ValueError(f"{what} has shape {tuple(tensor.shape)}, expected {axes} axes")
    if len(embedding) not in (1, x.shape[1]):
        raise ValueError(
            f"embedding has shape {tuple(embedding.shape)}, expected 1 or {x.shape[1]} heads first"
        )
    if name == "q" and embedding.shape[2] != x.shape[3]:
        raise ValueError(f"embedding has shape {tuple(embedding.shape)}, expected {x.shape[3]} last")
    if len(index) != x.shape[2] or (name == "p" and index.shape[1] != x.shape[3]):
        expected = f"({x.shape[2]}, {'any' if name == 'q' else x.shape[3]})"
        raise ValueError(f"index has shape {tuple(index.shape)}, expected {expected}")
