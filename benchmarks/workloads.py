"""The workloads that are timed: their shapes and inputs."""

from dataclasses import dataclass, replace

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

    def build(self, twin, dtype):
        """Return the attention of a twin; its weights are those of `weights_of`."""
        rpb_kwargs = {"window_size": self.window}
        return twin.MultiHeadAttention(self.width, self.heads, rpb_kwargs=rpb_kwargs, dtype=dtype)


@dataclass(frozen=True)
class Step:
    """A training step of the vision transformer in configs/fashion_mnist.yaml."""

    batch: int = 64
    tokens: int = 49

    @property
    def name(self):
        return f"batch of {self.batch}, 28×28, 7² tokens"


@dataclass(frozen=True)
class SwinBlock:
    """A block of Swin-T with shifted windows: x (batch, size, size, width)."""

    size: int
    width: int
    heads: int
    batch: int = 4
    window: int = 7
    shift: int = 3

    @property
    def tokens(self):
        return self.size**2

    @property
    def name(self):
        return f"Swin block, {self.size}×{self.size}, width {self.width}, batch of {self.batch}"

    def build(self, twin, dtype):
        """Return the block of a twin; its weights are those of `weights_of`."""
        sizes = {"window_size": self.window, "shift_size": self.shift}
        return twin.SwinTransformerBlock(self.width, self.heads, **sizes, dtype=dtype)


@dataclass(frozen=True)
class SwinStep:
    """A training step of a Swin Transformer on images of three channels."""

    title: str
    batch: int
    img_size: int
    patch_size: int
    embed_dim: int
    depths: tuple
    num_heads: tuple
    num_classes: int
    window_size: int = 7

    @property
    def tokens(self):
        return (self.img_size // self.patch_size) ** 2

    @property
    def name(self):
        return f"{self.title}, {self.img_size}×{self.img_size}, batch of {self.batch}"

    @property
    def model(self):
        """The arguments that all libraries share."""
        return {n: a for n, a in vars(self).items() if n not in ("title", "batch")}

    def build(self, twin, dtype):
        """Return the model of a twin without stochastic depth; its weights are those of `weights_of`."""
        return twin.SwinTransformer(**self.model, drop_path_rate=0.0, dtype=dtype)


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
SWIN_BLOCKS = (SwinBlock(56, 96, 3), SwinBlock(14, 384, 12))
QUICK_SWIN_BLOCKS = (SwinBlock(14, 96, 3, 1),)
SWIN_SMALL = SwinStep("small Swin", 64, 28, 2, 48, (2, 2), (3, 6), 10)
SWIN_TINY = SwinStep("Swin-T", 2, 224, 4, 96, (2, 2, 6, 2), (3, 6, 12, 24), 1000)
SWIN_STEPS = (SWIN_SMALL, SWIN_TINY)
SWIN_MEMORY = (SWIN_SMALL, replace(SWIN_TINY, batch=8))
QUICK_SWIN_STEPS = (replace(SWIN_SMALL, batch=4),)
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
    if isinstance(work, Step | SwinStep):
        given["labels"] = rng.integers(0, 10, work.batch)
    if isinstance(work, Attention | Bias):
        given["index"] = index_of(work.window)
    return given


def weights_of(work):
    """Return {name: array} for the work's module, of the magnitude of trained weights."""
    rng = np.random.default_rng([SEED + 1, *work.name.encode()])
    state = work.build(numpy_ref, np.float32).state_dict()
    return {name: _drawn(rng, name, a.shape).astype(np.float32) for name, a in state.items()}


def _drawn(rng, name, shape):
    drawn = rng.standard_normal(shape)
    if "norm" in name:
        return 1 + 0.3 * drawn if name.endswith("weight") else 0.3 * drawn
    if name.endswith("weight"):
        return drawn / np.sqrt(np.prod(shape[1:]))
    return 0.7 * drawn


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


def _swin_block_shapes(work):
    shape = (work.batch, work.size, work.size, work.width)
    return {"x": shape, "dout": shape}


def _swin_step_shapes(work):
    return {"images": (work.batch, 3, work.img_size, work.img_size)}


_SHAPES = {
    Attention: _attention_shapes,
    Bias: _bias_shapes,
    Module: _module_shapes,
    Step: _step_shapes,
    SwinBlock: _swin_block_shapes,
    SwinStep: _swin_step_shapes,
}
