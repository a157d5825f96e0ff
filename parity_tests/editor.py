"""What an editor says about the twins: `make lint` checks this file, nothing runs it.

`assert_type` fails when the checker infers another type. A line with `pyright: ignore` has to be an
error, or the checker reports the comment.
"""

from typing import assert_type

import numpy as np
import torch

from numpy_ref import ops
from numpy_ref.dispatch import F
from numpy_ref.gate import Cache
from numpy_ref.nn import Linear
from torch_impl import ops as torch_ops

x = np.zeros((1, 2, 3, 4))
index = np.zeros((3, 3), int)


def ops_are_reached_through_the_dispatcher():
    """F has the signatures of the definition."""
    out, cache = F.attention_forward(x, x, x, index=index, table=x[0, 0])
    assert_type(out, np.ndarray)
    assert_type(cache, Cache)
    grads = F.attention_backward(out, cache)
    assert_type(grads, ops.AttentionGrads)
    assert_type(grads.dq, np.ndarray)
    assert_type(grads.dtable, np.ndarray | None)
    F.attention_forward(x, x)  # pyright: ignore[reportCallIssue]
    F.attention_forward(x, x, x, scale="1")  # pyright: ignore[reportArgumentType]
    F.attention_forwards(x, x, x)  # pyright: ignore[reportAttributeAccessIssue]


def ops_of_the_pytorch_twin():
    q = torch.zeros(1, 2, 3, 4)
    assert_type(torch_ops.attention(q, q, q, implementation="sdpa"), torch.Tensor)
    torch_ops.attention(q, q, q, implementation="flash")  # pyright: ignore[reportArgumentType]


def layers():
    linear = Linear(4, 5, bias=False)
    assert_type(linear.forward(x), np.ndarray)
    assert_type(linear.backward(x), np.ndarray)
