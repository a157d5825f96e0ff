"""Right kernels of attention in NumPy, made in different ways, each judged by `check.soundness`."""

import numpy as np

from . import budget


class Whole:
    """All scores at once, in float32, or in float64 for inputs of that."""

    def __init__(self, dout, q, k, v, table=None, index=None, mask=None, scale=None, *, dtype):
        self.dtype, self.index = dtype, index
        self.dout, self.q, self.k, self.v, self.table = (
            None if x is None else self.inside(x) for x in (dout, q, k, v, table)
        )
        self.mask = None if mask is None else self.inside(self.of_batch(mask))
        self.scale = self.inside(q.shape[-1] ** -0.5 if scale is None else scale)

    def inside(self, x):
        """Return an argument in the dtype that the kernel computes in."""
        return np.asarray(x, np.float64 if self.dtype == "float64" else np.float32)

    def of_batch(self, mask):
        """Return the mask as (B, H, Lq, Lk): b uses mask[b mod nW]."""
        batch, heads, queries, _ = self.q.shape
        mask = mask[np.arange(batch) % len(mask)] if mask.ndim == 4 else mask
        return np.broadcast_to(mask, (batch, heads, queries, self.k.shape[2]))

    def kept(self, x):
        """Return what is kept of a matrix (B, H, Lq, Lk)."""
        return x

    def scores(self, keys=slice(None)):
        """Return scale · q kᵀ + table[index] + mask of some keys."""
        scores = self.scale * (self.q @ self.k[:, :, keys].mT)
        if self.table is not None:
            scores += self.table[self.index[:, keys]].transpose(2, 0, 1)
        if self.mask is not None:
            scores += self.mask[..., keys]
        return self.kept(scores)

    def results(self):
        """Return {"out", "dq", "dk", "dv"[, "dtable"]}."""
        scores = self.scores()
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        p = self.kept(powers / powers.sum(-1, keepdims=True))
        dp = self.kept(self.dout @ self.v.mT)
        ds = self.kept(p * (dp - (p * dp).sum(-1, keepdims=True)))
        grads = {"dq": self.scale * (ds @ self.k), "dk": self.scale * (ds.mT @ self.q)}
        return {"out": p @ self.v} | grads | {"dv": p.mT @ self.dout} | self.gradient_of_table([ds])

    def gradient_of_table(self, tiles):
        """Return {"dtable": (R, H)}, or {} without a table; tiles: dS of some keys after others."""
        if self.table is None:
            return {}
        dtable, start = np.zeros_like(self.table), 0
        for ds in tiles:
            end = start + ds.shape[-1]
            np.add.at(dtable, self.index[:, start:end], ds.sum(0).transpose(1, 2, 0))
            start = end
        return {"dtable": dtable}


class Kept(Whole):
    """Scores, P, dP and dS are kept in the inputs' dtype; all sums are made in float32 or wider."""

    def kept(self, x):
        return self.inside(budget.rounded(x, self.dtype))


class Tiles(Whole):
    """Tiles of keys with an online softmax, as FlashAttention: out is rescaled, backward makes P anew.

    While all keys so far are masked with −∞, so is the largest score; 0 takes its place in exponents.
    """

    size = 16

    def tiles(self):
        return [slice(start, start + self.size) for start in range(0, self.k.shape[2], self.size)]

    def forward(self):
        """Return out, the largest score of each query, and its Σ exp(score − largest)."""
        out, total = np.zeros(self.dout.shape, self.q.dtype), 0
        largest = np.full((*self.q.shape[:3], 1), -np.inf, self.q.dtype)
        for keys in self.tiles():
            scores = self.scores(keys)
            new = np.maximum(largest, scores.max(-1, keepdims=True))
            base = np.where(np.isneginf(new), 0, new)
            powers, factor = np.exp(scores - base), np.exp(largest - base)
            total = total * factor + powers.sum(-1, keepdims=True)
            out = out * factor + powers @ self.v[:, :, keys]
            largest = new
        return out / total, largest, total

    def results(self):
        out, largest, total = self.forward()
        delta = (out * self.dout).sum(-1, keepdims=True)
        dq, dk, dv, every_ds = np.zeros_like(self.q), [], [], []
        for keys in self.tiles():
            p = np.exp(self.scores(keys) - largest) / total
            ds = p * (self.dout @ self.v[:, :, keys].mT - delta)
            dq += self.scale * (ds @ self.k[:, :, keys])
            dk.append(self.scale * (ds.mT @ self.q))
            dv.append(p.mT @ self.dout)
            every_ds.append(ds)
        grads = {"dq": dq, "dk": np.concatenate(dk, 2), "dv": np.concatenate(dv, 2)}
        return {"out": out} | grads | self.gradient_of_table(every_ds)


class InNumpy:
    """A class above as a kernel for `judge_kernel`; the results are rounded to the inputs' dtype."""

    def __init__(self, made):
        self.made = made

    def results(self, question):
        made = self.made(question.dout, **question.arguments, dtype=question.dtype)
        return {name: budget.rounded(x, question.dtype) for name, x in made.results().items()}


MAKES = {
    "NumPy": InNumpy(Whole),
    "NumPy, kept in the inputs' dtype": InNumpy(Kept),
    "NumPy, tiles": InNumpy(Tiles),
}
