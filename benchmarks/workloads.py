"""The workloads that are timed: their shapes and inputs."""

from dataclasses import dataclass

import numpy as np

import numpy_ref

SEED = 11


@dataclass(frozen=True)
class Attention:
    """q, k, v (batch, heads, L, head_dim) with the 2-D table of a window, L = window²."""

    window: int
    batch: int
    heads: int
    head_dim: int = 32

    @property
    def tokens(self):
        return self.window**2

    @property
    def name(self):
        return f"{self.window}², {self.batch} × {self.heads} heads"

    def flops(self, backward):
        """Count two products of 2·B·H·L²·d forward and five backward, one to recompute the scores."""
        return (7 if backward else 2) * 2 * self.batch * self.heads * self.tokens**2 * self.head_dim


@dataclass(frozen=True)
class Bias:
    """A gather from a table ((2w − 1)², heads) to a bias (heads, w², w²), and the scatter-add back."""

    window: int
    heads: int

    @property
    def tokens(self):
        return self.window**2

    @property
    def name(self):
        return f"({(2 * self.window - 1) ** 2}, {self.heads}) ↔ {self.tokens}²"


@dataclass(frozen=True)
class Module:
    """Swin's attention with its linear layers: x (batch, window², width)."""

    window: int = 7
    batch: int = 256
    width: int = 96
    heads: int = 3

    @property
    def tokens(self):
        return self.window**2

    @property
    def name(self):
        return f"{self.window}², {self.batch} windows, width {self.width}, {self.heads} heads"


@dataclass(frozen=True)
class Step:
    """A training step of the vision transformer in configs/fashion_mnist.yaml."""

    batch: int = 64
    tokens: int = 49

    @property
    def name(self):
        return f"batch of {self.batch}, 28×28, 7² tokens"


ATTENTION = (
    Attention(7, 256, 3),
    Attention(7, 1024, 3),
    Attention(8, 256, 3),
    Attention(12, 64, 4),
    Attention(16, 32, 4),
    Attention(32, 2, 3),
    Attention(64, 1, 2),
)
QUICK_ATTENTION = (Attention(7, 256, 3), Attention(16, 8, 4))
BIAS = (Bias(7, 3), Bias(16, 4), Bias(32, 4))
QUICK_BIAS = (Bias(7, 3), Bias(16, 4))
BATCHES = tuple(Attention(7, batch, 3) for batch in (16, 64, 256, 1024))
QUICK_BATCHES = BATCHES[:2]
# about 8192 rows of scores each, so that only the length of a row grows
LENGTHS = tuple(Attention(w, 4096 // w**2, 2) for w in (7, 12, 16, 24, 32, 64))
QUICK_LENGTHS = LENGTHS[:3:2]
THREADS = (Attention(7, 256, 3), Attention(16, 32, 4), Attention(32, 2, 3))
QUICK_THREADS = THREADS[:1]
MEMORY = (Attention(16, 32, 4), Attention(32, 2, 3), Attention(64, 1, 2))
QUICK_MEMORY = MEMORY[:1]


def index_of(window):
    """Return Swin's index of a window × window grid, (L, L)."""
    return numpy_ref.RelativePositionBias(1, window, bias_type="2d").index


def inputs_of(work):
    """Return {name: array} for any work: float32 from N(0, 1), and integer labels or index.

    "dout" and "dbias" are the gradients of the loss with respect to the output and the bias.
    """
    rng = np.random.default_rng([SEED, *work.name.encode()])
    shapes = _SHAPES[type(work)](work)
    given = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    if isinstance(work, Step):
        given["labels"] = rng.integers(0, 10, work.batch)
    if isinstance(work, Attention | Bias):
        given["index"] = index_of(work.window)
    return given


def weights_of(work):
    """Return {name: array} for the attention of a Module, of the magnitude of trained weights."""
    rng = np.random.default_rng([SEED + 1, *work.name.encode()])
    width, rows = work.width, (2 * work.window - 1) ** 2
    state = {
        "qkv.weight": rng.standard_normal((3 * width, width)) / np.sqrt(width),
        "qkv.bias": 0.7 * rng.standard_normal(3 * width),
        "proj.weight": rng.standard_normal((width, width)) / np.sqrt(width),
        "proj.bias": 0.7 * rng.standard_normal(width),
        "rel_pos.relative_position_bias_table": 0.7 * rng.standard_normal((rows, work.heads)),
    }
    return {name: a.astype(np.float32) for name, a in state.items()}


def in_float64(given):
    """Return the same values in float64; the truth is computed from them."""
    return {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in given.items()}


def _attention_shapes(work):
    shape = (work.batch, work.heads, work.tokens, work.head_dim)
    table = ((2 * work.window - 1) ** 2, work.heads)
    return {"q": shape, "k": shape, "v": shape, "dout": shape, "table": table}


def _bias_shapes(work):
    table = ((2 * work.window - 1) ** 2, work.heads)
    return {"table": table, "dbias": (work.heads, work.tokens, work.tokens)}


def _module_shapes(work):
    shape = (work.batch, work.tokens, work.width)
    return {"x": shape, "dout": shape}


def _step_shapes(work):
    return {"images": (work.batch, 1, 28, 28)}


_SHAPES = {
    Attention: _attention_shapes,
    Bias: _bias_shapes,
    Module: _module_shapes,
    Step: _step_shapes,
}
