"""The op `attention_weights` returns the probabilities that `attention` uses.

`MultiHeadAttention.attention_weights` is tested by the table of cases, as "weights".
"""

import numpy as np
import pytest
import torch

import numpy_ref.kernels
import numpy_ref.ops
import torch_impl.ops

from . import budget
from .both import array
from .cases import CASES
from .run import given_of

OPS = [case for case in CASES if (case.kind, case.name) == ("op", "attention")]
TERMS = ("table", "index", "bias", "mask")


@pytest.mark.parametrize("case", OPS, ids=lambda case: case.id)
def test_weights_are_what_attention_multiplies_the_values_with(case):
    """With the identity matrix as v, attention returns the probabilities."""
    inputs = given_of(case, "float64").inputs
    q, k = inputs["q"], inputs["k"]
    terms = {name: inputs.get(name) for name in TERMS} | {"scale": case.options.get("scale")}
    keys = k.shape[2]
    v = np.broadcast_to(np.eye(keys), (*k.shape[:2], keys, keys)).copy()
    truth, _ = numpy_ref.ops.attention_forward(q, k, v, **terms)
    tensors = {n: torch.tensor(a) if isinstance(a, np.ndarray) else a for n, a in terms.items()}
    found = [
        numpy_ref.ops.attention_weights(q, k, **terms),
        numpy_ref.kernels.attention_weights(q, k, **terms),
        array(torch_impl.ops.attention_weights(torch.tensor(q), torch.tensor(k), **tensors)),
    ]
    for weights in found:
        assert budget.float64("weights", truth, weights).ok
