"""PyTorch's fused attention, `scaled_dot_product_attention`: everything that is added is its mask."""

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .inputs import Inputs


def refusal(inputs: Inputs) -> str | None:
    """Return why this implementation cannot take the call, or None."""
    if inputs.dropout is not None:
        return "dropout multiplies the probabilities, which it does not give"
    if inputs.value_embedding is not None:
        return "value_embedding needs the probabilities, which it does not give"
    return None


def attend(inputs: Inputs) -> Tensor:
    """Return out (B, H, Lq, dv); a row masked with nothing but −inf gives 0."""
    term = inputs.additive()
    return scaled_dot_product_attention(inputs.q, inputs.k, inputs.v, attn_mask=term, scale=inputs.scale)
