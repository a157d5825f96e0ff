"""`numpy_ref.ops` with the functions in ACCELERATED replaced by faster ones of the same signature."""

from ..ops import *  # noqa: F403
from ..ops import __all__ as __all__
from .attention import attention_backward, attention_forward, attention_weights
from .bias import bias_backward, bias_forward
from .gelu import gelu_backward, gelu_forward
from .linear import linear_backward, linear_forward
from .lookup import (
    score_lookup_backward,
    score_lookup_forward,
    value_lookup_backward,
    value_lookup_forward,
)

ACCELERATED = {
    "attention_backward": attention_backward,
    "attention_forward": attention_forward,
    "attention_weights": attention_weights,
    "bias_backward": bias_backward,
    "bias_forward": bias_forward,
    "gelu_backward": gelu_backward,
    "gelu_forward": gelu_forward,
    "linear_backward": linear_backward,
    "linear_forward": linear_forward,
    "score_lookup_backward": score_lookup_backward,
    "score_lookup_forward": score_lookup_forward,
    "value_lookup_backward": value_lookup_backward,
    "value_lookup_forward": value_lookup_forward,
}
