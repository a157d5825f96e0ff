"""Types that an editor infers for the twins. `make lint` type-checks this file; it is never run.

`assert_type` fails when the checker infers another type. A line with `pyright: ignore` must be an
error, otherwise the checker reports the comment.
"""

from typing import Any, assert_type

import numpy as np
import torch

import numpy_ref
import torch_impl
from numpy_ref import ops
from numpy_ref.dispatch import F
from numpy_ref.gate import Cache
from numpy_ref.nn import Linear
from numpy_ref.position import BiasType
from numpy_ref.position.t5 import T5
from torch_impl import ops as torch_ops
from torch_impl.position.halo import Halo

x = np.zeros((1, 2, 3, 4))
index = np.zeros((3, 3), int)


def ops_are_reached_through_the_dispatcher():
    """F has the signatures of `numpy_ref.ops`."""
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
    assert_type(torch_ops.attention(q, q, q, implementation="flex"), torch.Tensor)
    torch_ops.attention(q, q, q, implementation="flash")  # pyright: ignore[reportArgumentType]


def layers():
    """A call has the arguments and the result of `forward`."""
    linear = Linear(4, 5, bias=False)
    assert_type(linear.forward(x), np.ndarray)
    assert_type(linear.backward(x), np.ndarray)
    assert_type(linear(x, residual=x), np.ndarray)
    linear(x, x, x)  # pyright: ignore[reportCallIssue]
    assert_type(torch_impl.Block(8, 2)(torch.zeros(1, 4, 8), mask=None), torch.Tensor)
    torch_impl.Block(8, 2)(torch.zeros(1, 4, 8), masks=None)  # pyright: ignore[reportCallIssue]


def options_of_a_scheme():
    """A name selects the scheme's class; a wrong option, value or name is an error."""
    scheme = numpy_ref.RelativePositionBias(4, (7, 7), "t5", num_buckets=8)
    assert_type(scheme, T5)
    assert_type(scheme(q_size=3), np.ndarray)
    assert_type(scheme.num_heads, int)
    assert_type(scheme.num_buckets, int)
    numpy_ref.RelativePositionBias(4, 7, bias_type="t5", num_bucket=8)  # pyright: ignore[reportCallIssue]
    numpy_ref.RelativePositionBias(4, 7, "t6")  # pyright: ignore[reportArgumentType, reportCallIssue]
    numpy_ref.RelativePositionBias(4, 7, causal=True)  # pyright: ignore[reportCallIssue]
    assert_type(torch_impl.RelativePositionBias(4, 7, "halo", head_dim=8, halo_size=1), Halo)


def options_of_a_scheme_in_a_module():
    """rpb_kwargs accepts the keys of the scheme that its bias_type names."""
    numpy_ref.MultiHeadAttention(8, 2, rpb_kwargs={"window_size": 7})
    numpy_ref.MultiHeadAttention(
        8, 2, rpb_kwargs={"bias_type": "t5", "window_size": 7, "num_buckets": 8}
    )
    numpy_ref.Block(8, 2, rpb_kwargs={"bias_type": "t5", "window_size": 7, "bucket": 8})  # pyright: ignore[reportArgumentType]
    torch_impl.VisionTransformer(rpb_kwargs={"bias_type": "alibi2d", "learned_slopes": True})
    torch_impl.VisionTransformer(rpb_kwargs={"bias_type": "alibi2d", "stride": 2})  # pyright: ignore[reportArgumentType]


def options_from_a_file(bias_type: BiasType, options: dict[str, Any]):
    assert_type(numpy_ref.SCHEMES[bias_type].bias_type, str)
    numpy_ref.RelativePositionBias(4, (7, 7), bias_type, **options)
