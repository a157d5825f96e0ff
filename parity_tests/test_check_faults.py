"""What `check` says of kernels that fail, return something else than asked, or change what they got."""

import functools
import re

import numpy as np
import pytest

from . import kernels_to_check
from .check.arrays import library_of
from .check.kernel import Kernel
from .check.load import load
from .check.report import text
from .check.verdict import judge_kernel
from .kernels_to_check import attention, attention_backward

OF_TORCH = "parity_tests.torch_kernels_to_check"


def attention_kernel(change=lambda out: out, change_grads=lambda grads: grads, before=None):
    """Return a right kernel whose output and gradients are changed, after something else was done."""

    class Changed:
        def __call__(self, q, k, v, table=None, index=None):
            if before:
                before(q)
            out, cache = attention(q, k, v, table, index)
            return change(out), cache

        def backward(self, dout, cache):
            return change_grads(attention_backward(dout, cache))

    return Kernel(Changed())


def judged(kernel, pattern="table", **options):
    verdict = judge_kernel(kernel, pattern=pattern, diagnosing=False, **options)
    return verdict, " ".join(text(verdict).split())


def fail(q):
    message = "row 12 is outside the table\nand more lines"
    raise IndexError(message)


def test_a_kernel_that_raises_in_one_case_is_judged_in_the_others():
    kernel = attention_kernel(before=lambda q: fail(q) if q.shape[2] == 1 else None)
    verdict, words = judged(kernel, "*e*", quick=True)
    assert verdict.failed == ["op-attention-one_token"]
    assert len(verdict.cases) > 5
    assert "IndexError: row 12 is outside the table, in one_token" in words
    assert "and more lines" not in words
    assert "in fail: raise IndexError(message)" in words


WRONG_GRADIENTS = {
    "dtable: not returned": lambda g: {n: a for n, a in g.items() if n != "dtable"},
    "dtable: not returned, in every": lambda g: g | {"dtable": None},
    "backward returns 'q', 'k', 'v', 'table', expected dq, dk": lambda g: {n[1:]: g[n] for n in g},
    "backward returned 1 value, expected dq, dk, dv, dtable": lambda g: (g["dq"],),
    "dtable: shape (3, 11), expected (11, 3)": lambda g: g | {"dtable": g["dtable"].T},
    "dq: str is no array": lambda g: g | {"dq": "dq"},
}


@pytest.mark.parametrize("words", WRONG_GRADIENTS)
def test_what_is_wrong_with_the_gradients_is_said(words):
    verdict, said = judged(attention_kernel(change_grads=WRONG_GRADIENTS[words]))
    assert not verdict.ok
    assert words in said


def test_gradients_come_by_name_or_in_the_order_of_the_arguments():
    by_order = [lambda g: tuple(g.values()), lambda g: (*g.values(), None)]
    for grads in (dict, *by_order):
        assert judged(attention_kernel(change_grads=grads))[0].ok


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda out: out.swapaxes(1, 2), "out: shape (2, 6, 3, 8), expected (2, 3, 6, 8)"),
        (lambda out: np.where(np.arange(8) == 5, np.nan, out), "36 of 288 elements are NaN or infinite"),
        (lambda out: None, "out: NoneType is no array"),
        (lambda out: {"out": out}, "out: dict is no array"),
    ],
)
def test_an_output_that_is_no_result_is_said(change, words):
    verdict, said = judged(attention_kernel(change))
    assert verdict.failed
    assert words in said


def test_the_element_of_a_nan_is_shown():
    def spoiled(out):
        out = out.copy()
        out[1, 2, 3, 4] = np.nan
        return out

    assert "table: batch 1, head 2, query 3, channel 4" in judged(attention_kernel(spoiled))[1]


@pytest.mark.parametrize("axes", [(0, 2, 1, 3), (1, 0, 2, 3)])
def test_an_output_of_another_layout_is_judged_and_diagnosed(axes):
    """No known bug gives its shape; some cases have the right one by chance."""
    verdict = judge_kernel(attention_kernel(lambda out: out.transpose(axes)), quick=True)
    assert "out: shape (" in text(verdict)


def test_a_transposed_gradient_of_the_table_is_judged_and_diagnosed():
    def transposed(grads):
        return grads | {"dtable": grads["dtable"].T} if "dtable" in grads else grads

    verdict = judge_kernel(attention_kernel(change_grads=transposed), quick=True)
    assert "dtable: shape (3, 11), expected (11, 3)" in text(verdict)


def test_an_empty_gradient_is_given_by_no_known_bug():
    class Short:
        def __call__(self, table, index):
            return table[index].transpose(2, 0, 1), (table, index)

        def backward(self, dout, cache):
            return {"dtable": np.zeros((len(cache[0]) - 1, dout.shape[0]), dout.dtype)}

    assert judge_kernel(Kernel(Short()), "bias", quick=True).diagnoses == ()


def test_an_index_of_floats_is_wrong():
    def index(window_size):
        ((length,), rows) = window_size, 2 * window_size[0] - 1
        return (np.subtract.outer(np.arange(length), np.arange(length)) + length - 1) % rows * 1.0

    verdict = judge_kernel(Kernel(index), "index", scheme="1d")
    assert "out: float64, expected integers" in text(verdict)


def test_arrays_of_another_library_are_said():
    torch = pytest.importorskip("torch")
    words = judged(attention_kernel(torch.from_numpy))[1]
    assert "returns those of torch: try --library torch" in " ".join(words.split())


def test_another_dtype_is_said_and_not_wrong():
    verdict, words = judged(attention_kernel(lambda out: out.astype(np.float64)))
    assert verdict.ok
    assert "note: out is float64 in 1 case; it is judged as float32" in words


def test_views_are_results_like_others():
    assert judged(attention_kernel(lambda out: out.repeat(2, -1)[..., ::2]))[0].ok


def test_an_input_that_is_changed_is_a_finding():
    def doubled(q):
        q *= 1.5

    verdict, words = judged(attention_kernel(before=doubled))
    assert not verdict.ok
    assert "the call changes its argument q" in words


def test_a_kernel_that_differs_from_call_to_call_is_said():
    calls = []

    def shaken(out):
        calls.append(out)
        return np.nextafter(out, np.float32(np.inf)) if len(calls) > 1 else out

    verdict, words = judged(attention_kernel(shaken))
    assert verdict.ok
    assert "note: not deterministic: two calls of op-attention-table differ in out" in words
    assert "deterministic" not in judged(attention_kernel())[1]


def test_a_kernel_that_keeps_state_is_a_finding():
    kept = []

    def first_wins(grads):
        kept.append(grads["dtable"])
        return grads | {"dtable": sum(kept)}

    verdict, words = judged(attention_kernel(change_grads=first_wins))
    assert not verdict.ok
    assert "dtable: right at the first call, wrong at the second: the kernel keeps state" in words


def test_what_is_not_asked_is_said():
    verdict = judge_kernel(Kernel(f"{OF_TORCH}:attention"), pattern="table", without="d*")
    assert {finding.row.tensor for finding in verdict.findings} == {"out"}
    assert "dq, dk, dv, dtable: left out by --without" in verdict.left_out
    left = " ".join(verdict.left_out)
    assert "without table and index, which the function needs" in left
    verdict = judge_kernel(Kernel(f"{kernels_to_check.__name__}:forward_only"), pattern="plain")
    left = " ".join(verdict.left_out)
    assert "gradients: there is no backward function" in left
    assert "with table, index, mask or scale, which the function does not take" in left


def test_callables_of_every_sort_are_kernels():
    def anything(*positional, **named):
        return attention(*positional, **named)[0]

    def by_position(q, k, v, table=None, index=None, mask=None, scale=None, /):
        return attention(q, k, v, table, index, mask, scale)[0]

    bound = functools.partial(lambda block, q, k, v: attention(q, k, v)[0], 64)
    for kernel in (anything, by_position, bound, attention_kernel().forward):
        assert judged(Kernel(kernel, "numpy"), "plain")[0].ok
    assert Kernel(anything).takes is None
    assert Kernel(bound).takes == ("q", "k", "v")


def test_modules_and_operators_of_pytorch_are_kernels():
    torch = pytest.importorskip("torch")
    from .torch_kernels_to_check import attention

    class Module(torch.nn.Module):
        def forward(self, q, k, v, table, index):
            return attention(q, k, v, table, index)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):
            ctx.save_for_backward(q, k, v)
            return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v

        @staticmethod
        def backward(ctx, dout):
            with torch.enable_grad():
                leaves = [x.detach().requires_grad_() for x in ctx.saved_tensors]
                out = (
                    torch.softmax(leaves[0] @ leaves[1].mT / leaves[0].shape[-1] ** 0.5, -1) @ leaves[2]
                )
                return torch.autograd.grad(out, leaves, dout)

    class WithDefaults(Function):
        @staticmethod
        def forward(ctx, q, k, v, table=None, index=None, heads="all", mask=None):
            ctx.save_for_backward(q, k, v)
            assert heads == "all"
            bias = 0 if mask is None else mask
            bias = bias if table is None else bias + table[index].permute(2, 0, 1)
            return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5 + bias, -1) @ v

    @torch.library.custom_op("rpb_check_test::forward", mutates_args=())
    def operator(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v

    assert judged(Kernel(Module(), "torch"))[0].ok
    assert judged(Kernel(Function.apply, "torch"), "plain")[0].ok
    assert Kernel(Function.apply, "torch").needs == ("q", "k", "v")
    assert Kernel(WithDefaults.apply, "torch").needs == ("q", "k", "v")
    for pattern in ("plain", "table", "causal"):
        assert judged(Kernel(WithDefaults.apply, "torch"), pattern, without="d*")[0].ok
    _, words = judged(Kernel(operator, "torch"), "plain")
    assert "no autograd formula was registered" in words
    assert judged(Kernel(operator, "torch"), "plain", without="d*")[0].ok
    assert judged(Kernel(torch.ops.rpb_check_test.forward, "torch"), "plain", without="d*")[0].ok


def test_a_class_with_apply_is_no_kernel_but_its_apply_is(tmp_path):
    (tmp_path / "mine.py").write_text("class F:\n    apply = staticmethod(abs)\nclass G: pass\n")
    for name, words in (("F", "of the class, did you mean 'F.apply'?"), ("G", "of the class")):
        with pytest.raises(ValueError, match=re.escape(words) + "$"):
            load(f"{tmp_path / 'mine.py'}:{name}")


def test_an_output_detached_from_its_arguments_is_said():
    torch = pytest.importorskip("torch")

    def detached(q, k, v):
        return (torch.softmax(q.detach() @ k.mT / q.shape[-1] ** 0.5, -1) @ v).clone()

    def alone(q, k, v):
        return detached(q, k, v).detach()

    assert (
        "dq: no gradient: the output does not depend on the argument"
        in judged(Kernel(detached, "torch"), "plain")[1]
    )
    assert "dv: no gradient" in judged(Kernel(alone, "torch"), "plain")[1]


def test_the_library_is_that_of_the_function():
    numpy_and_torch = type(np)("both")
    exec("import numpy as np, torch\ndef f(q): return np.abs(q)\ndef g(q): return torch.abs(q)\n"
         "def h(q):\n import torch\n return q", vars(numpy_and_torch))  # fmt: skip
    found = [library_of(getattr(numpy_and_torch, name), numpy_and_torch) for name in "fgh"]
    assert found == ["numpy", "torch", "torch"]


def test_results_of_another_library_come_through_dlpack():
    torch = pytest.importorskip("torch")
    assert judged(attention_kernel(lambda out: torch.from_numpy(out)))[0].ok


def test_bfloat16_in_numpy_needs_a_package():
    kernel = attention_kernel()
    try:
        import ml_dtypes  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="bfloat16 in NumPy needs the package ml_dtypes"):
            judge_kernel(kernel, dtype="bfloat16")
    else:
        assert judged(kernel, "plain")[0].cases
