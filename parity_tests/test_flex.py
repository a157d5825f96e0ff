"""FlexAttention beyond the table of cases: its kernel on a CPU, what it stores and what it refuses."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import torch_impl
from torch_impl.ops import Offsets, QueryLookup, attention
from torch_impl.ops.attention import check_attention, flex

from . import budget
from .cases import CASES
from .given_attention import assert_within_budget
from .implementations import reasons_of, unfused_flex
from .inductor import needs_inductor
from .run import given_of
from .run_torch import run_torch
from .verdict import truth_of


def normal(*shape, dtype=torch.float64, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=rng).to(dtype)


def qkv(length, dtype=torch.float64, heads=2):
    return [normal(2, heads, length, 4, dtype=dtype, seed=seed) for seed in range(3)]


def looked_up(bias_type, window, dtype=torch.float64, **options):
    """Return the table and offsets of a scheme for two heads, as arguments of attention."""
    scheme = torch_impl.RelativePositionBias(2, window, bias_type, dtype=dtype, **options)
    return {"table": scheme.table().detach(), "offsets": scheme.offsets(*scheme.sizes())}


kernels_of_a_cpu = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="a CPU needs AVX2"
)


@needs_inductor
@kernels_of_a_cpu
@pytest.mark.parametrize(
    ("case_id", "dtype"),
    [
        ("attention-2d-cosine_dense_mask", "float32"),
        ("op-attention-swin_7x7", "bfloat16"),
        ("attention-decomposed-tokens", "float16"),
    ],
)
def test_the_kernel_of_a_cpu_agrees(case_id, dtype):
    """It has only a forward."""
    case = next(case for case in CASES if case.id == case_id)
    with torch.no_grad(), torch_impl.use_ops("flex"), reasons_of("flex") as reasons:
        out = run_torch(given_of(case, dtype))["out"]
    assert reasons == [None]
    truth, yardsticks = truth_of(case, dtype)
    row = budget.row("out", truth["out"], out, yardsticks["out"])
    assert row.ok, row


@needs_inductor
@kernels_of_a_cpu
def test_the_kernel_of_a_cpu_skips_blocks_and_makes_no_index(monkeypatch):
    """Two lengths, of two and three blocks; one query sees nothing, and gets 0."""
    calls = []
    for length in (130, 300):
        x, given = qkv(length, torch.float32), looked_up("kerple", length, torch.float32, causal=True)
        mask = torch.zeros(length, length)
        mask[7] = -torch.inf
        index = given["offsets"].index()
        inputs = dict(zip("qkv", x, strict=True)) | {"table": given["table"], "index": index}
        calls.append((x, given | {"mask": mask}, inputs | {"mask": mask}))
    outs = []
    with monkeypatch.context() as patch:
        patch.setattr(Offsets, "index", None)
        for x, given, _ in calls:
            outs.append(attention(*x, **given, implementation="flex"))
    for out, (_, _, inputs) in zip(outs, calls, strict=True):
        assert not out[:, :, 7].any()
        out[:, :, 7] = torch.nan  # as the definition has it
        assert_within_budget({"out": out}, inputs)


SIZES = [(300, 300, 0), (100, 400, 300), (257, 130, -5), (300, 300, -300)]  # queries, keys, causal


class Largest(TorchDispatchMode):
    """Remember the size of the largest tensor that PyTorch makes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        made = out if isinstance(out, list | tuple) else [out]
        self.size = max([self.size, *(x.numel() for x in made if isinstance(x, torch.Tensor))])
        return out


@pytest.mark.parametrize("causal", [None, 0])
def test_nothing_that_the_kernel_is_given_grows_with_the_square_of_the_length(causal):
    length = 2048
    offsets = Offsets.of_grids((length,), (length,), torch.arange(2 * length - 1), causal=causal)
    with Largest() as largest:
        x = qkv(length)
        inputs = check_attention(*x, normal(2 * length - 1, 2), mask=normal(length), offsets=offsets)
        assert flex.score_mod(inputs)
        assert (flex.block_mask(inputs) is None) == (causal is None)
    assert largest.size <= 2 * 2 * length * 4  # q
    index = torch.randint(0, 63, (length, length))
    lookup = QueryLookup(x[0], [normal(2, 63, 4)], [index])
    inputs = check_attention(*x, query_lookup=lookup)
    with Largest() as largest:
        assert flex.score_mod(inputs)
    assert largest.size == 2 * 2 * length * 63


@pytest.mark.parametrize("prefix", [0, 3, 130])
@pytest.mark.parametrize(("q_size", "k_size", "causal"), SIZES)
def test_only_blocks_without_a_visible_pair_are_skipped(q_size, k_size, causal, prefix):
    offsets = Offsets.of_grids(
        (q_size,), (k_size,), torch.arange(q_size + k_size + 2), prefix, causal=causal
    )
    q, k = (normal(1, 1, prefix + size, 4) for size in (q_size, k_size))
    table = normal(len(offsets.rows), 1)
    mask = flex.block_mask(check_attention(q, k, k, table, offsets=offsets))
    i, j = torch.arange(prefix + q_size)[:, None], torch.arange(prefix + k_size)
    visible = (i < prefix) | (j < prefix) | (j - prefix <= i - prefix + causal)
    blocks = [rows.split(128, dim=1) for rows in visible.split(128)]
    expected = torch.tensor([[bool(block.any()) for block in row] for row in blocks])
    assert torch.equal(mask.to_dense()[0, 0].bool(), expected)


@pytest.mark.parametrize("dense", ["mask", "bias"])
def test_a_query_that_sees_nothing_gets_zero_and_no_gradient(dense):
    x = [each.requires_grad_() for each in qkv(5)]
    given = torch.zeros(5, 5, dtype=torch.float64)
    given[2] = -torch.inf
    with unfused_flex():
        out = attention(*x, **{dense: given}, implementation="flex")
    (dq,) = torch.autograd.grad(out, x[:1], normal(*out.shape))
    assert not out[:, :, 2].any()
    assert not dq[:, :, 2].any()
    assert out.isfinite().all() and dq.isfinite().all() and dq[:, :, 1].all()


def with_offsets(q, k, v, table, offsets, implementation):
    return attention(q, k, v, table, offsets=offsets, implementation=implementation)


def with_lookup(q, k, v, table, offsets, implementation):
    rows = table.view(1, -1, 4)
    indices = [offsets.index() // 4, offsets.index() // 3]
    lookup = QueryLookup(q, [rows, 2 * rows], indices)
    return attention(q, k, v, query_lookup=lookup, implementation=implementation)


@pytest.mark.parametrize("call", [with_offsets, with_lookup])
def test_it_is_part_of_a_compiled_graph_at_any_length(call):
    """By its definition, which has no backward in "aot_eager" (PyTorch 2.13)."""
    torch.compiler.reset()
    compiled = torch.compile(call, fullgraph=True, backend="eager")
    for length in (8, 12, 15):
        offsets = Offsets.of_grids((length,), (length,), torch.arange(2 * length))
        x = [each.requires_grad_() for each in (*qkv(length), normal(2 * length, 2, seed=3))]
        with unfused_flex():
            out = compiled(*x, offsets, "flex")
        expected = call(*x, offsets, "eager")
        dout = normal(*out.shape)
        gradients = [torch.autograd.grad(each, x, dout) for each in (out, expected)]
        for found, right in [(out, expected), *zip(*gradients, strict=True)]:
            assert budget.float64("", right.detach(), found.detach()).ok


def refused(given, **options):
    """Return why the call is refused; what `use_ops` prefers is then computed eagerly."""
    with torch_impl.use_ops("flex"):
        out = attention(*given, **options)
    assert torch.equal(out, attention(*given, **options, implementation="eager"))
    with pytest.raises(ValueError, match="implementation is 'flex', which cannot take") as error:
        attention(*given, **options, implementation="flex")
    return str(error.value).split(": ", 1)[1]


def test_what_it_refuses_on_a_cpu(monkeypatch):
    q, k, v = x = qkv(3, torch.float32)
    learned = normal(3, 2, dtype=torch.float32).requires_grad_()
    index = torch.zeros(3, 3, dtype=torch.long)
    assert refused(qkv(3)) == "it has no float64"
    assert refused([each[:0] for each in x]) == "there is nothing to compute: q or v is empty"
    backward = "on a CPU it has no backward: call it under torch.no_grad()"
    assert refused([q.clone().requires_grad_(), k, v]) == backward
    assert refused(x, table=learned, index=index) == backward
    lookup = QueryLookup(q, [normal(1, 3, 4, dtype=torch.float32).requires_grad_()], [index])
    assert refused(x, query_lookup=lookup) == backward
    elsewhere = check_attention(*(each.to("meta") for each in x))
    assert flex.refusal(elsewhere) == "it is for CUDA and CPUs, not for 'meta'"
    taken = check_attention(*x, table=learned.detach(), index=index)
    assert flex.refusal(taken) is None
    with torch.no_grad():
        assert flex.refusal(check_attention(*x, table=learned, index=index)) is None
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert flex.refusal(taken) == "on a CPU it needs AVX2"
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert flex.refusal(taken).startswith("on a CPU it is not for use within torch.compile")


@pytest.mark.parametrize("entry", [-1, 5])
@pytest.mark.parametrize("of_query", [False, True])
def test_an_index_outside_the_table_is_an_error_on_a_cpu(entry, of_query):
    q, table = torch.randn(1, 2, 3, 16), torch.randn(5, 2)
    index = torch.zeros(3, 3, dtype=torch.long)
    index[1, 2] = entry
    lookup = QueryLookup(q, [torch.randn(2, 5, 16)], [index])
    given = {"query_lookup": lookup} if of_query else {"table": table, "index": index}
    with torch.no_grad(), pytest.raises(ValueError, match=r"expected \[0, 5\)"):
        flex.attend(check_attention(q, q, q, **given))


def test_what_it_refuses_on_cuda():
    """Tensors without memory stand for those of a GPU."""
    narrow = "on CUDA a head has at least 16 channels"
    with FakeTensorMode():
        for dtype, channels, values, reason in [
            (torch.float32, 16, 16, None),
            (torch.bfloat16, 16, 24, None),
            (torch.float64, 16, 16, "it has no float64"),
            (torch.float32, 15, 16, narrow),
            (torch.float32, 16, 8, narrow),
        ]:
            q = torch.zeros(2, 3, 7, channels, device="cuda", dtype=dtype)
            v = torch.zeros(2, 3, 7, values, device="cuda", dtype=dtype)
            assert flex.refusal(check_attention(q, q, v)) == reason


def test_wrong_lookups_are_named():
    x, index = qkv(3), torch.zeros(3, 3, dtype=torch.long)
    good = QueryLookup(x[0], [normal(2, 5, 4)], [index])
    assert attention(*x, query_lookup=good).shape == x[0].shape
    for wrong, error, message in [
        (tuple(good), TypeError, "query_lookup is a tuple, expected QueryLookup"),
        (
            good._replace(q=x[0][:1]),
            ValueError,
            r"query_lookup.q has shape \(1, 2, 3, 4\), expected \(2",
        ),
        (good._replace(q=x[0].float()), TypeError, "q: torch.float32, embedding: torch.float64"),
        (good._replace(embeddings=[normal(3, 5, 4)]), ValueError, "embedding has shape"),
        (good._replace(indices=[index[:, :2]]), ValueError, r"query_lookup.indices has shape \(3, 2\)"),
        (good._replace(base=normal(3, 2)), ValueError, r"query_lookup.base has shape \(3, 2\)"),
        (good._replace(indices=[]), ValueError, "query_lookup has 1 embeddings and 0 indices"),
        (good._replace(embeddings=[], indices=[]), ValueError, "query_lookup has neither a term nor"),
    ]:
        with pytest.raises(error, match=message):
            attention(*x, query_lookup=wrong)
