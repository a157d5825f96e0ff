"""PyTorch's compiled flex_attention, with a score_mod that looks the bias up in the table."""

import torch

from ._contestant import CannotRunError
from ._torch import contestant, tensors
from .attention_torch import LEAVES

try:
    from torch.nn.attention.flex_attention import flex_attention
except ImportError as error:
    flex_attention, missing = None, str(error)


def make(name, work, given, backward, device):
    if flex_attention is None:
        raise CannotRunError(missing)
    x = tensors(given, device, LEAVES if backward else ())
    dout, table, index = x.pop("dout"), x["table"], x["index"]

    def add_bias(score, batch, head, query, key):
        return score + table[index[query, key], head]

    attention = torch.compile(flex_attention, dynamic=False)
    leaves = {f"d{leaf}": x[leaf] for leaf in LEAVES}
    return contestant(
        lambda: attention(x["q"], x["k"], x["v"], score_mod=add_bias), leaves, dout, backward, device
    )
