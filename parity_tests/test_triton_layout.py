"""What triton makes of strides: any are taken, and offsets of more than 2³¹ elements are counted."""

import pytest
import torch

pytest.importorskip("triton")

import triton.language as tl
from triton import jit as triton_jit

from torch_impl.ops.attention.triton_kernels import launch
from torch_impl.ops.attention.triton_kernels.tiles import window_mask

from .test_triton import DEVICE, INTERPRETABLE, assert_triton_is_right, drawn, window

pytestmark = INTERPRETABLE


def transposed(x):
    """Return x with its last two axes exchanged in memory."""
    return x.mT.contiguous().mT


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_an_index_and_a_mask_may_lie_transposed_in_memory(dtype):
    """A conversion to int32 keeps the strides."""
    q, k, v = drawn(20)
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(9, 2, generator=generator).to(DEVICE).requires_grad_()
    index = torch.randint(9, (20, 20), generator=generator, dtype=dtype).to(DEVICE)
    mask = torch.randn(2, 20, 20, generator=generator).to(DEVICE)
    index, mask = transposed(index), transposed(mask)
    assert not index.is_contiguous()
    assert_triton_is_right(q, k, v, table, index=index, mask=mask)


@pytest.mark.parametrize("size", [(20,), (70,)])
def test_the_parts_of_offsets_may_have_gaps_in_memory(size):
    (q, k, v), (table, offsets) = drawn(*size), window(size)
    queries, keys = torch.stack([offsets.queries, offsets.keys], 1).unbind(1)
    assert not queries.is_contiguous()
    assert_triton_is_right(q, k, v, table, offsets._replace(queries=queries, keys=keys))


@pytest.mark.parametrize("strides", [(1, 2**30, 8, 1), (1, 8, 2**29, 1)])
def test_rows_that_lie_far_apart_are_copied(strides):
    """The kernels count the elements of a batch element in int32."""
    far = torch.empty_strided((2, 3, 5, 8), strides, device="meta")
    assert launch._dense(far).stride() == (120, 40, 8, 1)
    assert launch._dense(far[:, :2, :4]).stride() == strides


@triton_jit
def _distance(mask, distance, n, h, num_masks, mask_w, mask_h):
    far = window_mask(mask, n + tl.program_id(0), h + tl.program_id(0), num_masks, mask_w, mask_h)
    tl.store(distance, far.to(tl.int64) - mask.to(tl.int64))


def test_the_heads_of_a_mask_are_counted_in_64_bits():
    """Bias of 8 heads and 32k tokens: the third head has the number 2³¹."""
    mask, distance = torch.zeros(1, device=DEVICE), torch.zeros(1, dtype=torch.int64, device=DEVICE)
    _distance[(1,)](mask, distance, 10, 7, 4, 2**30, 2**30)
    assert distance.item() == (10 % 4 + 7) * 2**30 * mask.element_size()
