"""PyTorch kernels for the tests of `check` that are right but for one step in a lower precision.

They compute in float32, or in float64 for inputs of that, and round the results to the inputs' dtype.
"""

import math
from itertools import pairwise

import numpy as np
import torch


class Attention:
    """Attention and its gradients; subclasses override a step. low: the dtype of that step."""

    low: torch.dtype

    def __init__(self, q, k, v, table=None, index=None, mask=None, scale=None, dout=None):
        self.index = index
        self.q, self.k, self.v, self.table, self.mask, self.dout = (
            None if x is None else self.prepare(x) for x in (q, k, v, table, mask, dout)
        )
        self.scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
        self.weights = self.softmax(self.scores())

    def prepare(self, x):
        """Return an argument in the dtype that the kernel computes in."""
        return x.to(torch.promote_types(x.dtype, torch.float32))

    def rounded(self, x):
        return x.to(self.low).to(x.dtype)

    def scores(self):
        scores = self.scale * self.product("scores", self.q, self.k.mT)
        if self.table is not None:
            scores = scores + self.table[self.index].permute(2, 0, 1)
        if self.mask is None:
            return scores
        repeats = len(self.q) // len(self.mask) if self.mask.dim() == 4 else 1
        return scores + (self.mask.repeat(repeats, 1, 1, 1) if self.mask.dim() == 4 else self.mask)

    def softmax(self, scores):
        powers = self.exp(scores - scores.amax(-1, keepdim=True))
        return powers / self.total(powers)

    def exp(self, x):
        return x.exp()

    def total(self, powers):
        return powers.sum(-1, keepdim=True)

    def product(self, name, a, b):
        return a @ b

    def results(self):
        dp = self.product("dp", self.dout, self.v.mT)
        ds = self.weights * (dp - self.delta(dp))
        grads = {
            "dq": self.scale * self.product("dq", ds, self.k),
            "dk": self.scale * self.product("dk", ds.mT, self.q),
            "dv": self.product("dv", self.weights.mT, self.dout),
        }
        if self.table is not None:
            grads["dtable"] = self.scatter(ds)
        return grads

    def delta(self, dp):
        return (self.weights * dp).sum(-1, keepdim=True)

    def out(self):
        return self.product("out", self.weights, self.v)

    def scatter(self, ds):
        total = torch.zeros_like(self.table)
        return total.index_add(0, self.index.flatten(), ds.sum(0).flatten(1).T)


class Inputs(Attention):
    def __init__(self, q, k, v, table=None, index=None, mask=None, scale=None, dout=None):
        low = [x if x is None else x.to(self.low).to(x.dtype) for x in (q, k, v, table)]
        dout = dout if dout is None else dout.to(self.low).to(q.dtype)
        super().__init__(*low, index, mask, scale, dout)


class Scores(Attention):
    def scores(self):
        return self.rounded(super().scores())


class Exp(Attention):
    def exp(self, x):
        return self.rounded(self.rounded(x).exp())


class SoftmaxSum(Attention):
    def total(self, powers):
        total = torch.zeros_like(powers[..., :1])
        for i in range(powers.shape[-1]):
            total = self.rounded(total + powers[..., i : i + 1])
        return total


class Weights(Attention):
    def softmax(self, scores):
        return self.rounded(super().softmax(scores))


class Factors(Attention):
    def product(self, name, a, b):
        return self.rounded(a) @ self.rounded(b)


class Products(Attention):
    """Sum every product in the lower precision, or the one `named`."""

    named = None

    def product(self, name, a, b):
        if name != self.named and not (self.named is None and name in ("out", "dq", "dk", "dv")):
            return super().product(name, a, b)
        total = torch.zeros_like(a @ b)
        for i in range(a.shape[-1]):
            total = self.rounded(total + a[..., i : i + 1] * b[..., i : i + 1, :])
        return total


class Out(Attention):
    """Write out in the lower precision; backward reads it."""

    def out(self):
        return self.rounded(super().out())

    def delta(self, dp):
        return (self.dout * self.out()).sum(-1, keepdim=True)


class Dtable(Attention):
    """Add the pairs of each row up in the lower precision, in the order of `add`."""

    def scatter(self, ds):
        return self.add(self.terms(ds)).to(ds.dtype)

    def terms(self, ds):
        """Return the terms of each row, padded with zeros: (n, R, H)"""
        rows = self.index.flatten().repeat(len(ds))
        ds = ds.permute(0, 2, 3, 1).flatten(0, 2)
        order = torch.argsort(rows, stable=True)
        counts = torch.bincount(rows, minlength=len(self.table))
        rank = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[rows[order]]
        terms = torch.zeros(int(counts.max()), *self.table.shape, dtype=ds.dtype)
        terms[rank, rows[order]] = ds[order]
        return terms

    def add(self, terms):
        total = torch.zeros(terms.shape[1:], dtype=self.low)
        for term in terms.to(self.low):
            total = total + term
        return total


class DtableRandom(Dtable):
    """As atomic additions do."""

    def add(self, terms):
        generator = torch.Generator().manual_seed(0)
        return super().add(terms[torch.randperm(len(terms), generator=generator)])


class DtableTree(Dtable):
    def add(self, terms):
        terms = terms.to(self.low)
        while len(terms) > 1:
            terms = torch.cat([terms, terms[:1] * 0]) if len(terms) % 2 else terms
            terms = terms[::2] + terms[1::2]
        return terms[0]


class DtableBlocks(Dtable):
    """Partial sums of blocks, each in the lower precision, then their sum."""

    def add(self, terms):
        size = math.isqrt(len(terms)) + 1
        bounds = [*range(0, len(terms), size), len(terms)]
        each = [super(DtableBlocks, self).add(terms[a:b]) for a, b in pairwise(bounds)]
        return super().add(torch.stack(each))


class DtableSamples(Dtable):
    """Each sample's sums in full precision are added to the total in the lower one."""

    def scatter(self, ds):
        each = [Attention.scatter(self, one[None]) for one in ds]
        return self.add(torch.stack(each)).to(ds.dtype)


class DtablePairs(Dtable):
    """The batch is summed in full precision, the pairs in the lower one."""

    def scatter(self, ds):
        return super().scatter(ds.sum(0, keepdim=True))


class OfClass:
    """A class above as a kernel for `judge_kernel`; low: the name of the dtype of its step."""

    takes = ("q", "k", "v", "table", "index", "mask", "scale")
    needs = ("q", "k", "v")
    differentiable = True

    def __init__(self, attention, low="float32", **changed):
        self.name = f"{attention.__name__} in {low}"
        self.made = type(attention.__name__, (attention,), changed | {"low": getattr(torch, low)})

    def results(self, question):
        given = {name: self.tensor(x, question.dtype) for name, x in question.arguments.items()}
        run = self.made(**given, dout=self.tensor(question.dout, question.dtype))
        results = {"out": run.out()} | run.results()
        return {n: x.detach().to(given["q"].dtype).double().numpy() for n, x in results.items()}

    def tensor(self, x, dtype):
        if not isinstance(x, np.ndarray):
            return x
        return torch.tensor(x, dtype=getattr(torch, dtype) if x.dtype.kind == "f" else torch.int64)


class OfBias(OfClass):
    """A class above that sums dtable in an order of its own, as a kernel that looks the bias up."""

    takes = needs = ("table", "index")

    def results(self, question):
        given = {name: self.tensor(x, question.dtype) for name, x in question.arguments.items()}
        run, wide = object.__new__(self.made), torch.promote_types(given["table"].dtype, torch.float32)
        run.table, run.index = given["table"].to(wide), given["index"]
        dtable = run.scatter(self.tensor(question.dout, question.dtype).to(wide)[None])
        results = {"out": run.table[run.index].permute(2, 0, 1), "dtable": dtable}
        return {n: x.to(given["table"].dtype).double().numpy() for n, x in results.items()}


def summed_in_bfloat16(q, k, v, table=None, index=None, mask=None, scale=None):
    """A kernel for the command: dtable is added up in bfloat16."""
    given = {"q": q, "k": k, "v": v, "table": table, "index": index, "mask": mask, "scale": scale}
    return OfClass(Dtable, "bfloat16").made(**given).out(), given


def summed_in_bfloat16_backward(dout, given):
    return OfClass(Dtable, "bfloat16").made(**given, dout=dout).results()


def indexed(table, index):
    """A kernel for the command: autograd adds the pairs of a row up in the table's dtype."""
    return table[index].permute(2, 0, 1)
