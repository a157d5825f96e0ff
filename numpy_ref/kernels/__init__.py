"""`numpy_ref.ops` with the functions in ACCELERATED replaced by faster ones of the same signature."""

from ..ops import *  # noqa: F403
from ..ops import __all__ as __all__
from .adamw import adamw_update
from .attention import attention_backward, attention_forward, attention_weights
from .bias import bias_backward, bias_forward
from .cosine import cosine_backward, cosine_forward
from .cross_entropy import cross_entropy_backward, cross_entropy_forward
from .gelu import gelu_backward, gelu_forward
from .heads import merge_qkv
from .layer_norm import layer_norm_backward, layer_norm_forward
from .linear import linear_backward, linear_forward
from .lookup import (
    score_lookup_backward,
    score_lookup_forward,
    value_lookup_backward,
    value_lookup_forward,
)
from .mlp import mlp_backward, mlp_forward
from .norm import squared_norm
from .patch_merging import patch_merging_backward, patch_merging_forward
from .residual import dropout_backward, dropout_forward, residual_backward, residual_forward
from .windows import (
    window_partition_backward,
    window_partition_forward,
    window_reverse_backward,
    window_reverse_forward,
)

ACCELERATED = {
    function.__name__: function
    for function in (
        adamw_update,
        attention_backward,
        attention_forward,
        attention_weights,
        bias_backward,
        bias_forward,
        cosine_backward,
        cosine_forward,
        cross_entropy_backward,
        cross_entropy_forward,
        dropout_backward,
        dropout_forward,
        gelu_backward,
        gelu_forward,
        layer_norm_backward,
        layer_norm_forward,
        linear_backward,
        linear_forward,
        merge_qkv,
        mlp_backward,
        mlp_forward,
        patch_merging_backward,
        patch_merging_forward,
        residual_backward,
        residual_forward,
        score_lookup_backward,
        score_lookup_forward,
        squared_norm,
        value_lookup_backward,
        value_lookup_forward,
        window_partition_backward,
        window_partition_forward,
        window_reverse_backward,
        window_reverse_forward,
    )
}
