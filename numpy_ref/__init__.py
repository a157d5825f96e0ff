"""Relative position bias in NumPy, every gradient written by hand.

The same names, arguments and state-dict keys as `torch_impl`; modules here add `backward(dout)`.
"""

from .attention import MultiHeadAttention
from .block import Block
from .dispatch import num_threads, set_num_threads, use_ops
from .optim import AdamW, clip_grad_norm, learning_rate, parameter_groups
from .position import SCHEMES, PositionBias, RelativePositionBias, scheme_options
from .pretrained import Classification, from_pretrained
from .resize import resize_pos_embed, resize_table
from .swin import SwinTransformer
from .swin_block import SwinTransformerBlock
from .trainer import EvalResult, StepResult, Trainer
from .vit import VisionTransformer

__version__ = "0.2.0.dev0"

__all__ = [
    "SCHEMES",
    "AdamW",
    "Block",
    "Classification",
    "EvalResult",
    "MultiHeadAttention",
    "PositionBias",
    "RelativePositionBias",
    "StepResult",
    "SwinTransformer",
    "SwinTransformerBlock",
    "Trainer",
    "VisionTransformer",
    "clip_grad_norm",
    "from_pretrained",
    "learning_rate",
    "num_threads",
    "parameter_groups",
    "resize_pos_embed",
    "resize_table",
    "scheme_options",
    "set_num_threads",
    "use_ops",
]
