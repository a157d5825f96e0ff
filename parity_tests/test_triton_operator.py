"""Triton's attention as an operator of PyTorch, and the calls that it refuses."""

import math

import pytest
import torch

import torch_impl
from torch_impl.ops import attention
from torch_impl.ops.attention import Offsets, check_attention, triton

pytest.importorskip("triton")

from torch_impl.ops.attention.triton_kernels.operator import attention as operator

from .given_attention import assert_within_budget
from .test_triton import DEVICE, INTERPRETABLE, drawn, grads_of, window

pytestmark = INTERPRETABLE


def operator_arguments(size=(3, 4), prefix=1):
    q, k, v = drawn(math.prod(size) + prefix)
    table, offsets = window(size, prefix=prefix)
    return q, k, v, table, None, offsets.queries, offsets.keys, None, 0.3, prefix, None


def test_the_operator_keeps_pytorchs_rules():
    """Its fake has the layout of what it returns, and autograd sees through it."""
    torch.library.opcheck(operator, operator_arguments())
    q, k, v, *_ = operator_arguments()
    index = torch.zeros(13, 13, dtype=torch.int32, device=DEVICE)
    mask = torch.zeros(1, 1, 13, 13, device=DEVICE)
    table = torch.randn(3, 2, device=DEVICE, requires_grad=True)
    torch.library.opcheck(operator, (q, k, v, table, index, None, None, mask, 0.3, 0, None))
    strided = [x.detach().mT.contiguous().mT.requires_grad_() for x in (q, k, v)]
    torch.library.opcheck(operator, (*strided, None, None, None, None, None, 0.3, 0, None))


class Attention(torch.nn.Module):
    """Attention with a table under offsets."""

    def __init__(self):
        super().__init__()
        table, self.offsets = window((3, 4))
        self.table = torch.nn.Parameter(table.detach())

    def forward(self, x):
        return attention(x, x, x, self.table, offsets=self.offsets, implementation="triton")


def test_compile_and_export_see_one_operator():
    module, (x, *_) = Attention(), drawn(12)
    expected = module(x)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), expected)
    found, wanted = (grads_of(call(x), x, module.table) for call in (compiled, module))
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)
    program = torch.export.export(module, (x,))
    assert "torch_impl.triton_attention" in program.graph_module.code
    assert torch.equal(program.module()(x), expected)


REFUSED = {
    "dropout": {"dropout": torch.ones(1, 2, 6, 6)},
    "value_embedding": {
        "value_embedding": torch.ones(1, 3, 8),
        "value_index": torch.zeros(6, 6, dtype=torch.long),
    },
    "no gradient for bias": {"bias": torch.zeros(6, 6, requires_grad=True)},
    "no gradient for mask": {"mask": torch.zeros(6, 6, requires_grad=True)},
    "bias or a mask": {"bias": torch.zeros(6, 6), "mask": torch.zeros(6, 6)},
    "float64": {"dtype": torch.float64},
    "257 channels": {"dim": 257},
    "nothing to compute": {"batch": 0},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_call_that_is_refused_says_why(reason):
    options = dict(REFUSED[reason])
    kind = options.pop("dtype", torch.float32)
    qkv = [x.to(kind) for x in drawn(6, dim=options.pop("dim", 8), batch=options.pop("batch", 1))]
    options = {name: x.to(DEVICE) for name, x in options.items()}
    with pytest.raises(ValueError, match=f"implementation is 'triton', .*{reason}"):
        attention(*qkv, **options, implementation="triton")
    with torch_impl.use_ops("triton"):
        found = attention(*qkv, **options)
    assert torch.equal(found, attention(*qkv, **options, implementation="eager"))


def meta(*shape, **options):
    return torch.empty(shape, device="meta", **options)


def test_sizes_that_an_int32_does_not_count_are_refused():
    """A bias has 64 bits for its heads: 32k tokens are taken. Offsets have no pairs to count."""
    tokens, few = meta(1, 8, 2**15, 8), meta(1, 1, 2**16, 1)
    rows, index = meta(9, 1), meta(2**16, 2**16, dtype=torch.int64)
    parts = meta(2**16, dtype=torch.int64)
    offsets = Offsets(parts, parts, meta(9, dtype=torch.int64))
    taken = [
        {"q": tokens, "k": tokens, "v": tokens, "bias": meta(8, 2**15, 2**15)},
        {"q": few, "k": few, "v": few, "table": rows, "offsets": offsets},
        {"q": few, "k": few, "v": few, "mask": meta(2**16)},
    ]
    for given in taken:
        assert triton.refusal(check_attention(**given)) == "q is on meta, expected cuda"
    pairs = "index, bias or mask has 2**31 pairs of tokens or more"
    for more in ({"table": rows, "index": index}, {"bias": index.float()}, {"mask": index.float()}):
        assert triton.refusal(check_attention(few, few, few, **more)) == pairs
    many = meta(1, 2**11, 2**16, 16)
    reason = triton.refusal(check_attention(many, many, many))
    assert reason == "heads × tokens × channels is 2**31 or more"


def test_it_is_refused_where_triton_cannot_run(monkeypatch):
    q, k, v = (x.cpu() for x in drawn(6))
    inputs = check_attention(q, k, v, scale=1.0)
    assert triton.refusal(inputs) is None or DEVICE == "cuda"
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    assert "q is on cpu, expected cuda" in triton.refusal(inputs)
    monkeypatch.setattr(triton, "INSTALLED", False)
    assert triton.refusal(inputs) == "Triton is not installed"


def test_tensors_without_data_are_computed_eagerly():
    """Triton's interpreter would read their memory, which is not there."""
    q, k, v = (x.detach().to("meta") for x in drawn(6))
    with pytest.raises(ValueError, match=r"cannot take this call: q is on meta, expected cuda$"):
        attention(q, k, v, implementation="triton")
    with torch_impl.use_ops("triton"):
        assert attention(q, k, v).is_meta


def test_a_bias_without_a_gradient_is_added():
    q, k, v = drawn(6)
    bias = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    out = triton.attend(check_attention(q, k, v, bias=bias, scale=0.5))
    assert_within_budget({"out": out}, {"q": q, "k": k, "v": v, "bias": bias}, scale=0.5)


def test_autocast_computes_in_its_dtype():
    q, k, v = drawn(6)
    with torch.autocast(DEVICE, torch.bfloat16):
        out = attention(q, k, v, implementation="triton")
    assert out.dtype == torch.bfloat16
    inputs = {"q": q.bfloat16(), "k": k.bfloat16(), "v": v.bfloat16()}
    assert_within_budget({"out": out}, inputs, dtype="bfloat16")
