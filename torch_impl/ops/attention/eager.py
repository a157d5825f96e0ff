"""The definition in PyTorch: scores, softmax and output one after the other."""

import torch
from torch import Tensor

from ..lookup import value_lookup
from .inputs import Inputs


def refusal(inputs: Inputs) -> None:
    """Return None: nothing is refused."""


def attend(inputs: Inputs) -> Tensor:
    """Return out = (P ∘ D) v, plus each pair's row of the value embedding; (B, H, Lq, dv)."""
    p = weights(inputs)
    p = p if inputs.dropout is None else p * inputs.dropout
    out = p @ inputs.v
    if inputs.value_embedding is None or inputs.value_index is None:
        return out
    return out + value_lookup(p, inputs.value_embedding, inputs.value_index)


def weights(inputs: Inputs) -> Tensor:
    """Return P = softmax(scale · q kᵀ + table[index] + bias + mask), (B, H, Lq, Lk)."""
    term = inputs.additive()  # first: autograd adds dq up in the reverse order of the forward
    scores = torch.einsum("bhid,bhjd->bhij", inputs.q * inputs.scale, inputs.k)
    return torch.softmax(scores if term is None else scores + term, dim=-1)
