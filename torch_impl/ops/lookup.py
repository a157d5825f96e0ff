"""Vectors under an index: for the scores (q · vector) and for the values (P-weighted sum of vectors).

Source: Shaw et al. (arXiv 1803.02155), eq. 3 and 4; schemes that look at the query are made of these.
"""

from ..wide import wide


def score_lookup(q, embedding, index):
    """bias[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]].

    q (B, H, Lq, d), embedding (H or 1, R, d), index (Lq, Lk) int64 -> (B, H, Lq, Lk). The products with
    all rows come first, the index picks among them; in half precision it does so in float32, so that
    autograd adds the gradients of equal rows up in float32.
    """
    product = q @ embedding.transpose(-1, -2)  # (B, H, Lq, R)
    return wide(product).gather(-1, index.expand(*q.shape[:2], -1, -1)).to(q.dtype)


def value_lookup(p, embedding, index):
    """out[b, h, i] = Σ_j p[b, h, i, j] · embedding[h, index[i, j]].

    p (B, H, Lq, Lk), embedding (H or 1, R, d), index (Lq, Lk) int64 -> (B, H, Lq, d). Probabilities of
    equal rows are added up first.
    """
    sums = wide(p).new_zeros(*p.shape[:3], embedding.shape[1])
    sums = sums.scatter_add(-1, index.expand(*p.shape[:2], -1, -1), wide(p))
    return sums.to(p.dtype) @ embedding
