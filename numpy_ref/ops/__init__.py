"""The definition: plain NumPy, one op a file, x_forward and x_backward side by side."""

from .adamw import adamw_update
from .attention import AttentionGrads, attention_backward, attention_forward, attention_weights
from .bias import bias_backward, bias_forward
from .cosine import CosineGrads, cosine_backward, cosine_forward
from .cross_entropy import cross_entropy_backward, cross_entropy_forward
from .gelu import gelu_backward, gelu_forward
from .heads import merge_qkv
from .layer_norm import LayerNormGrads, layer_norm_backward, layer_norm_forward
from .layer_scale import LayerScaleGrads, layer_scale_backward, layer_scale_forward
from .linear import LinearGrads, linear_backward, linear_forward
from .lookup import (
    ScoreLookupGrads,
    ValueLookupGrads,
    score_lookup_backward,
    score_lookup_forward,
    value_lookup_backward,
    value_lookup_forward,
)
from .mlp import MlpGrads, mlp_backward, mlp_forward
from .norm import squared_norm
from .patch_merging import patch_merging_backward, patch_merging_forward
from .patches import patches_backward, patches_forward
from .relu import relu_backward, relu_forward
from .residual import (
    ResidualGrads,
    dropout_backward,
    dropout_forward,
    residual_backward,
    residual_forward,
)
from .sigmoid import sigmoid_backward, sigmoid_forward
from .silu import silu_backward, silu_forward
from .soft_cross_entropy import soft_cross_entropy_backward, soft_cross_entropy_forward
from .softmax import softmax_backward, softmax_forward
from .windows import (
    WindowReverseGrads,
    window_mask,
    window_partition_backward,
    window_partition_forward,
    window_reverse_backward,
    window_reverse_forward,
)

__all__ = [
    "AttentionGrads",
    "CosineGrads",
    "LayerNormGrads",
    "LayerScaleGrads",
    "LinearGrads",
    "MlpGrads",
    "ResidualGrads",
    "ScoreLookupGrads",
    "ValueLookupGrads",
    "WindowReverseGrads",
    "adamw_update",
    "attention_backward",
    "attention_forward",
    "attention_weights",
    "bias_backward",
    "bias_forward",
    "cosine_backward",
    "cosine_forward",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dropout_backward",
    "dropout_forward",
    "gelu_backward",
    "gelu_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "layer_scale_backward",
    "layer_scale_forward",
    "linear_backward",
    "linear_forward",
    "merge_qkv",
    "mlp_backward",
    "mlp_forward",
    "patch_merging_backward",
    "patch_merging_forward",
    "patches_backward",
    "patches_forward",
    "relu_backward",
    "relu_forward",
    "residual_backward",
    "residual_forward",
    "score_lookup_backward",
    "score_lookup_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "soft_cross_entropy_backward",
    "soft_cross_entropy_forward",
    "softmax_backward",
    "softmax_forward",
    "squared_norm",
    "value_lookup_backward",
    "value_lookup_forward",
    "window_mask",
    "window_partition_backward",
    "window_partition_forward",
    "window_reverse_backward",
    "window_reverse_forward",
]
