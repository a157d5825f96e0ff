"""The triton implementation: on CUDA compiled, on a CPU in Triton's interpreter (see conftest)."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import torch_impl
from torch_impl.ops import attention
from torch_impl.ops.attention import Offsets, triton

from . import budget, interpreter, report
from .cases import CASES, Case, Integers, Mask, Normal
from .cases._case import attention as attention_case
from .cases._case import op
from .given_attention import assert_within_budget
from .run import given_of
from .run_torch import run_torch
from .verdict import judge

pytest.importorskip("triton")

import triton.language as tl
from triton import jit as triton_jit

from torch_impl.ops.attention.triton_kernels import launch, sizes

DEVICE = report.device()
pytestmark = INTERPRETABLE = pytest.mark.skipif(
    DEVICE == "cpu" and interpreter.fails(), reason=interpreter.REASON
)
OFFERED = {"q", "k", "v", "table", "index", "mask"}
if DEVICE == "cpu" and not interpreter.fails():
    interpreter.convert_as_a_gpu()
TABLES = {"1d", "2d", "3d", "t5", "levit", "maxvit", "log_cpb", "alibi", "kerple", "custom", "sum"}
FEW = 40_000  # pairs: the interpreter takes a second for that many


def qkv(q_len, k_len=None, dim=8, v_dim=None, batch=1, heads=2):
    k_len, shape = k_len or q_len, (batch, heads)
    return {
        "q": Normal((*shape, q_len, dim)),
        "k": Normal((*shape, k_len, dim)),
        "v": Normal((*shape, k_len, v_dim or dim)),
    }


def lookup(q_len, k_len=None, rows=9):
    return {"table": Normal((rows, 2)), "index": Integers((q_len, k_len or q_len), rows)}


KERPLE = {"window_size": 70, "bias_type": "kerple", "causal": True}
LONG = [  # more than a tile of queries and of keys; the last ones are not full
    op("attention", "tiles", **qkv(70, 67, 12, 5), **lookup(70, 67)),
    op("attention", "tiles_mask", **qkv(67, batch=2), **lookup(67), mask=Mask((2, 1, 67, 67))),
    op("attention", "tiles_key_mask", **qkv(66, 71), mask=Mask((71,))),
    op("attention", "tiles_of_wide_heads", **qkv(5, 65, 80, 120), **lookup(5, 65)),
    attention_case("2d", "tiles", (1, 74, 8), 2, {"window_size": (9, 8), "num_prefix_tokens": 2}),
    attention_case("kerple", "tiles", (1, 70, 8), 2, KERPLE),
]


def is_taken(case: Case):
    """Return whether the implementation takes the case; on a CPU, whether it is small too."""
    if case.kind == "attention":
        has_dropout = bool(case.options.get("attn_drop"))
        return case.name in TABLES and "bias" not in case.inputs and not has_dropout
    if (case.kind, case.name) != ("op", "attention") or not case.inputs.keys() <= OFFERED:
        return False
    pairs = math.prod(case.inputs["q"].shape[:3]) * case.inputs["k"].shape[2]
    return pairs < FEW or DEVICE == "cuda"


@pytest.fixture
def no_other(monkeypatch):
    """Let a call that is refused fail, instead of being computed eagerly."""
    refusal = triton.refusal

    def refuse(inputs):
        assert refusal(inputs) is None, refusal(inputs)

    monkeypatch.setattr(triton, "refusal", refuse)


HALVES = ("op-attention-swin_7x7", "op-attention-registers_3x5", "op-attention-tiles_of_wide_heads")
WIDEST = op("attention", "widest_heads", **qkv(3, 20, 200, 256), **lookup(3, 20))
TAKEN = [*filter(is_taken, CASES), *LONG]
RUNS = [(case, "float32") for case in TAKEN]
RUNS += [
    (case, dtype)
    for case in TAKEN
    for dtype in ("float16", "bfloat16")
    if DEVICE == "cuda" or case.id in HALVES
]
RUNS += [(WIDEST, dtype) for dtype in ("float32", "float16", "bfloat16")]


@pytest.mark.parametrize(("case", "dtype"), RUNS, ids=[f"{case.id}-{dtype}" for case, dtype in RUNS])
def test_the_kernels_agree(case, dtype, no_other, results):
    name = f"{case.id}-triton"
    results[name, dtype] = [budget.Row("not compared", math.inf, math.inf)]
    rows = results[name, dtype] = compare(case, dtype)
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


def compare(case, dtype):
    with torch_impl.use_ops("triton"):
        found = run_torch(given_of(case, dtype), device=DEVICE)
    return judge(case, dtype, found, "torch")


@pytest.mark.parametrize("name", ["op-attention-shifted_windows", "op-attention-tiles_mask"])
def test_one_program_adds_up_over_windows_tiles_and_the_batch(name, no_other, monkeypatch):
    """Small cases have a program for each of them unless told otherwise."""
    monkeypatch.setattr(sizes, "PROGRAMS", 1)
    (case,) = (case for case in TAKEN if case.id == name)
    over = [row for row in compare(case, "float32") if not row.ok]
    assert not over, f"over budget: {over}"


def drawn(q_len, k_len=None, *, batch=1, heads=2, dim=8, seed=0):
    """Return q, k, v on the device, with gradients."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, heads, n, dim) for n in (q_len, k_len or q_len, k_len or q_len)]
    return [torch.randn(s, generator=generator).to(DEVICE).requires_grad_() for s in shapes]


def window(size, heads=2, prefix=0, causal=None):
    """Return a table with a row for each offset of a grid of these sizes, and the Offsets."""
    number = math.prod(2 * n - 1 for n in size) + 3 * bool(prefix)
    table = torch.randn((number, heads), generator=torch.Generator().manual_seed(1)).to(DEVICE)
    rows = torch.arange(number, device=DEVICE)
    return table.requires_grad_(), Offsets.of_grids(size, size, rows, prefix, causal)


def gradient_like(out, seed=2):
    """Return a random gradient of the output."""
    return torch.randn(out.shape, generator=torch.Generator().manual_seed(seed)).to(out)


def grads_of(out, *leaves):
    """Return the leaves' gradients for a random gradient of the output."""
    return torch.autograd.grad(out, leaves, gradient_like(out))


def inputs_of(q, k, v, table, index, **more):
    """Return {name: tensor} as plain NumPy takes them."""
    return {"q": q, "k": k, "v": v, "table": table, "index": index} | more


def results_of(out, *leaves, dout):
    """Return {name: tensor}: the output and the gradients of q, k, v and the table."""
    grads = torch.autograd.grad(out, leaves, dout)
    return {"out": out} | dict(zip(("dq", "dk", "dv", "dtable"), grads, strict=True))


def assert_triton_is_right(q, k, v, table, offsets=None, index=None, **more):
    """Compare output and gradients with the truth, under offsets or an index; return them."""
    pairs = {"index": index} if offsets is None else {"offsets": offsets}
    out = attention(q, k, v, table, **pairs, **more, implementation="triton")
    found = results_of(out, q, k, v, table, dout=gradient_like(out))
    index = offsets.index() if index is None else index
    assert_within_budget(found, inputs_of(q, k, v, table, index, **more), gradient_like(out))
    return found


@pytest.mark.parametrize(("size", "prefix"), [((3, 5), 2), ((70,), 0)])
def test_every_run_gives_the_same_bits(size, prefix):
    """No atomics: a table's gradient too is added up in one order."""
    q, k, v = drawn(math.prod(size) + prefix, batch=3)
    table, offsets = window(size, prefix=prefix)

    def run():
        out = attention(q, k, v, table, offsets=offsets, implementation="triton")
        return out, *grads_of(out, q, k, v, table)

    for first, second in zip(run(), run(), strict=True):
        assert torch.equal(first, second)


def test_rows_that_share_a_row_of_the_table_add_up():
    """With `rows` many offsets read one row, as T5's buckets do."""
    (q, k, v), (_, offsets) = drawn(12), window((3, 4))
    offsets = offsets._replace(rows=offsets.rows % 4)
    table = torch.randn(4, 2, device=DEVICE, requires_grad=True)
    assert_triton_is_right(q, k, v, table, offsets)


def test_a_row_that_sees_nothing_is_nan_and_no_other():
    """As the definition, forward and backward; a table's row is NaN only if such a query reads it."""
    q, k, v = drawn(5)
    table, index = torch.randn(5, 2, device=DEVICE), torch.arange(5, device=DEVICE)[:, None].expand(5, 5)
    mask = torch.zeros(5, 5, device=DEVICE)
    mask[1] = -math.inf
    mask[2, :3] = -math.inf
    found = assert_triton_is_right(q, k, v, table.requires_grad_(), index=index, mask=mask)
    assert found["out"][:, :, 1].isnan().all()


@pytest.mark.parametrize("tokens", [13, 37])
def test_logits_of_ten_thousand_overflow_nowhere(tokens):
    """Not even for the queries that fill the tile up, which read the table too."""
    (q, k, v), (table, offsets) = drawn(tokens), window((tokens,))
    table = (1e4 * table.detach()).requires_grad_()
    assert_triton_is_right(q, k, v, table, offsets)


@pytest.mark.parametrize(("causal", "prefix"), [(1, 0), (-2, 2)])
def test_tiles_of_hidden_keys_are_skipped_and_no_other(causal, prefix):
    """With C = 1 the last query of a tile sees one key of the next tile."""
    q, k, v = drawn(40 + prefix)
    table, offsets = window((40,), prefix=prefix, causal=causal)
    hidden = torch.arange(-39, 40, device=DEVICE) < -causal
    table = table.detach().clone()
    table[:79][hidden] = -math.inf
    table.requires_grad_()
    assert_triton_is_right(q, k, v, table, offsets)


@triton_jit
def _cast_to_zero(x, y):
    tl.store(y, tl.load(x).to(tl.bfloat16, fp_downcast_rounding="rtz"))


def test_a_kernel_may_round_bfloat16_to_zero():
    number = torch.tensor([1 + 255 * 2**-15], device=DEVICE)
    found = number.to(torch.bfloat16)
    assert found == 1 + 2**-7
    _cast_to_zero[(1,)](number, found)
    assert found == 1


@triton_jit
def _cast(x, y):
    i = tl.program_id(0) * 1024 + tl.arange(0, 1024)
    tl.store(y + i, tl.load(x + i).to(y.dtype.element_ty))


@pytest.mark.parametrize(("given", "wanted"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_a_kernel_converts_bfloat16_as_pytorch_does(given, wanted):
    """Every number of bfloat16, and those of float32 between them, halfway too."""
    high = torch.arange(2**16).repeat_interleave(4)
    low = torch.tensor([0, 2**15 - 1, 2**15, 2**15 + 1]).repeat(2**16)
    numbers = (high * 2**16 + low).to(torch.uint32).view(torch.float32)
    numbers = numbers[numbers.isfinite()].to(DEVICE, getattr(torch, given))
    found = torch.empty_like(numbers, dtype=getattr(torch, wanted))
    _cast[(len(numbers) // 1024,)](numbers, found)
    assert len(numbers) % 1024 == 0
    assert torch.equal(found, numbers.to(found.dtype))


@pytest.mark.parametrize("size", [(80,), (7, 12)])
def test_no_tensor_has_the_size_of_the_scores(size):
    (q, k, v), (table, offsets) = drawn(math.prod(size), dim=16), window(size)
    terms = launch.Terms(table.detach(), None, offsets.queries, offsets.keys, None, 0.25, 0, None)
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.extend(x.numel() for x in (out if isinstance(out, tuple) else (out,)))
            return out

    with Sizes(), torch.no_grad():
        out, lse = launch.forward(q, k, v, terms)
        launch.backward(out, q, k, v, out, lse, terms)
    assert len(sizes) > 8
    assert max(sizes) < 2 * len(offsets.queries) ** 2
