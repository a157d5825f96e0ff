"""The bias of a table and an index in Triton: rpb-check mykernel.py:bias --kind bias

Without a GPU: TRITON_INTERPRET=1 rpb-check mykernel.py:bias --kind bias
"""

import torch
import triton
import triton.language as tl

PAIRS = 256  # pairs of a query and a key that a program takes


def bias(table, index):
    """Return out (H, Lq, Lk); autograd calls the backward kernel."""
    return Bias.apply(table.contiguous(), index.contiguous())


class Bias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table, index):
        heads, pairs = table.shape[1], index.numel()
        out = table.new_empty(heads, *index.shape)
        forward_kernel[triton.cdiv(pairs, PAIRS), heads](table, index, out, heads, pairs, PAIRS)
        ctx.save_for_backward(index)
        ctx.table = table.shape, table.dtype
        return out

    @staticmethod
    def backward(ctx, dout):
        (index,), (shape, dtype) = ctx.saved_tensors, ctx.table
        heads, pairs = shape[1], index.numel()
        wide = torch.promote_types(dtype, torch.float32)  # in which a row's gradient is summed
        dtable = dout.new_zeros(shape, dtype=wide)
        dout = dout.to(wide).contiguous()
        backward_kernel[triton.cdiv(pairs, PAIRS), heads](dout, index, dtable, heads, pairs, PAIRS)
        return dtable.to(dtype), None


@triton.jit
def forward_kernel(table, index, out, heads, pairs, PAIRS: tl.constexpr):
    """out[h, pair] = table[index[pair], h]"""
    h = tl.program_id(1).to(tl.int64)  # h * pairs may pass 2³¹
    pair = tl.program_id(0) * PAIRS + tl.arange(0, PAIRS)
    row = tl.load(index + pair, mask=pair < pairs, other=0)
    values = tl.load(table + row * heads + h, mask=pair < pairs, other=0.0)
    tl.store(out + h * pairs + pair, values, mask=pair < pairs)


@triton.jit
def backward_kernel(dout, index, dtable, heads, pairs, PAIRS: tl.constexpr):
    """dtable[index[pair], h] += dout[h, pair], in any order: the last bits differ between runs."""
    h = tl.program_id(1).to(tl.int64)
    pair = tl.program_id(0) * PAIRS + tl.arange(0, PAIRS)
    row = tl.load(index + pair, mask=pair < pairs, other=0)
    values = tl.load(dout + h * pairs + pair, mask=pair < pairs, other=0.0)
    tl.atomic_add(dtable + row * heads + h, values, mask=pair < pairs)
