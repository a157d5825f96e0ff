"""The ops in PyTorch, gradients by autograd; what PyTorch has itself is taken from it."""

from .attention import Offsets, QueryLookup, attention, attention_weights, use_ops
from .bias import bias
from .cosine import cosine
from .cross_entropy import cross_entropy
from .gelu import gelu
from .layer_norm import layer_norm
from .layer_scale import layer_scale
from .linear import linear
from .lookup import score_lookup, value_lookup
from .mlp import mlp
from .patch_merging import patch_merging
from .patches import patches
from .relu import relu
from .residual import dropout, residual
from .sigmoid import sigmoid
from .silu import silu
from .soft_cross_entropy import soft_cross_entropy
from .softmax import softmax
from .windows import window_mask, window_partition, window_reverse

__all__ = [
    "Offsets",
    "QueryLookup",
    "attention",
    "attention_weights",
    "bias",
    "cosine",
    "cross_entropy",
    "dropout",
    "gelu",
    "layer_norm",
    "layer_scale",
    "linear",
    "mlp",
    "patch_merging",
    "patches",
    "relu",
    "residual",
    "score_lookup",
    "sigmoid",
    "silu",
    "soft_cross_entropy",
    "softmax",
    "use_ops",
    "value_lookup",
    "window_mask",
    "window_partition",
    "window_reverse",
]
