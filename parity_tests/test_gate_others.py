"""The checks of functions without a backward, and that torch.compile can trace the PyTorch twin's."""

import sys

import numba
import numpy as np
import pytest
import torch

import torch_impl.ops
from numpy_ref import kernels
from numpy_ref.kernels.machine.arrays import contiguous

from .calls import (
    NUMPY_SIDES,
    SIDES,
    SMALL,
    as_tensors,
    backward,
    first,
    forward,
    given_to,
    misaligned,
    read_only,
    results,
)

WEIGHTS = [c for c in SMALL if c.name == "attention" and not {"dropout", "value_index"} & {*c.inputs}]
BY_SIDE = pytest.mark.parametrize("side", SIDES)
BY_NUMPY_SIDE = pytest.mark.parametrize("side", NUMPY_SIDES)


def weights(side, case, given):
    """Return `attention_weights` of the case, which takes no v."""
    given = {name: a for name, a in given.items() if name != "v"}
    given = as_tensors(given) if side == "torch" else given
    return np.asarray(SIDES[side].attention_weights(**given, **case.options))


@BY_SIDE
@pytest.mark.parametrize("case", WEIGHTS, ids=lambda case: case.id)
def test_the_weights_refuse_what_attention_refuses(case, side):
    given = given_to(case)
    expected = weights(side, case, given)
    for name, a in given.items():
        if name == "v":
            continue
        for spoil in (lambda a: a > 0, lambda a: a.tolist(), lambda a: a.astype(np.complex64)):
            with pytest.raises(TypeError, match=rf"\b{name}\b"):
                weights(side, case, given | {name: spoil(a)})
        if a.shape[-1] > 1:
            with pytest.raises(ValueError, match="has shape"):
                weights(side, case, given | {name: np.ascontiguousarray(a[..., :-1])})
        if side != "torch":
            for lay in (read_only, misaligned, np.asfortranarray):
                found = weights(side, case, given | {name: lay(a)})
                np.testing.assert_array_equal(found, expected)
        if name == "index":
            for bad in (-1, case.inputs[name].high):
                with pytest.raises(ValueError, match="index has entries"):
                    weights(side, case, given | {name: np.full_like(a, bad)})


@BY_NUMPY_SIDE
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda a: a[0], ValueError),
        (lambda a: a[:1], ValueError),
        (lambda a: a[None], ValueError),
        (lambda a: a.astype(np.float64), TypeError),
        (lambda a: a.tolist(), TypeError),
        (lambda a: None, TypeError),
        (np.ma.masked_invalid, TypeError),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_heads_that_do_not_fit_are_not_merged(place, spoil, error, side):
    heads = [np.ones((2, 3, 5, 4), np.float32) for _ in range(3)]
    heads[place] = spoil(heads[place])
    with pytest.raises(error, match=r"\b[qkv]( is| has|:)"):
        SIDES[side].merge_qkv(*heads)


@BY_NUMPY_SIDE
@pytest.mark.parametrize("owner", [bytes, bytearray])
def test_heads_in_memory_that_is_no_array_are_merged(owner, side):
    """Heads laid out as by `attention_backward`, but in bytes, so that their common base is no array."""
    values = np.arange(2 * 5 * 3 * 3 * 4, dtype=np.float32)
    memory, strides = owner(values.tobytes()), (5 * 36 * 4, 4 * 4, 36 * 4, 4)
    heads = [np.ndarray((2, 3, 5, 4), np.float32, memory, n * 12 * 4, strides) for n in range(3)]
    merged = SIDES[side].merge_qkv(*heads)
    np.testing.assert_array_equal(merged, values.reshape(2, 5, 36))


@BY_NUMPY_SIDE
@pytest.mark.parametrize("no_floats", [None, [1.0], 1.0, np.ones(3, int), np.ma.ones(3)])
def test_the_norm_is_of_floats_only(no_floats, side):
    with pytest.raises(TypeError, match=r"x (is|has)"):
        SIDES[side].squared_norm(no_floats)


@BY_NUMPY_SIDE
@pytest.mark.parametrize("lay", [read_only, misaligned, np.asfortranarray, np.float32])
def test_the_norm_reads_anything(lay, side):
    x = np.float32(3) if lay is np.float32 else np.full((3, 5), 3, np.float32)
    assert SIDES[side].squared_norm(lay(x)) == 9 * x.size


@BY_NUMPY_SIDE
@pytest.mark.parametrize(
    ("dloss", "error"),
    [
        (None, TypeError),
        ("1", TypeError),
        (True, TypeError),
        (np.ones(1), TypeError),
        (10**400, ValueError),
    ],
)
def test_the_gradient_of_a_loss_is_a_number(dloss, error, side):
    case = next(c for c in SMALL if c.name == "cross_entropy")
    _, cache = forward(side, case, given_to(case))
    with pytest.raises(error, match="dloss is"):
        backward(side, case, dloss, cache)
    dlogits = backward(side, case, 2.0, cache)
    for same in (2, np.float16(2), np.int8(2), np.array(2.0), np.array(2, np.float32)):
        np.testing.assert_array_equal(backward(side, case, same, cache), dlogits)
    assert np.isnan(backward(side, case, np.nan, cache)).all()


@BY_NUMPY_SIDE
def test_cosine_has_a_pair_of_gradients(side):
    case = next(c for c in SMALL if c.name == "cosine")
    (q, k), cache = forward(side, case, given_to(case))
    for no_pair in (q, (q,), (q, k, k), None, {"dq": q, "dk": k}):
        with pytest.raises(TypeError, match="dout is a "):
            backward(side, case, no_pair, cache)
    with pytest.raises(ValueError, match=r"dout\[0\] has shape"):
        backward(side, case, (k, q), cache)


def arrays_within(kind):
    """Return the array types in numba's type of an argument, which may be a tuple."""
    if isinstance(kind, numba.types.BaseTuple):
        return [array for part in kind for array in arrays_within(part)]
    return [kind] if isinstance(kind, numba.types.Array) else []


def test_nothing_is_compiled_anew_for_read_only_or_misaligned_arrays():
    """numba has separate types for such arrays; without a copy it would compile every loop again."""
    for case in SMALL:
        for lay in (read_only, misaligned):
            results("kernels", case, {name: lay(a) for name, a in given_to(case).items()}, lay)
    loops = [
        d for n, m in [*sys.modules.items()] if n.startswith("numpy_ref.") for d in vars(m).values()
    ]
    kinds = [k for d in loops if hasattr(d, "py_func") for args in d.signatures for k in args]
    arrays = [array for kind in kinds for array in arrays_within(kind)]
    assert len(arrays) > 50
    assert all(array.mutable and array.aligned for array in arrays)


@pytest.mark.parametrize("shape", [(3, 5), (0, 5), ()])
def test_a_loop_gets_memory_in_one_piece_aligned_and_writeable(shape):
    """A plain array is passed on; any other is copied, as compiled loops assume alignment."""
    plain = np.ones(shape, np.float32)
    assert contiguous(plain, None)[0] is plain
    assert kernels.attention.with_contiguous_rows(misaligned(np.ones((1, 2, 3, 4)))).flags.aligned
    for lay in (
        read_only,
        misaligned,
        np.asfortranarray,
        lambda a: np.broadcast_to(a[..., :1], a.shape),
    ):
        if shape or lay in (read_only, misaligned):
            (found,) = contiguous(lay(plain))
            assert found.flags.carray
            assert found.shape == shape
            np.testing.assert_array_equal(found, plain)


def test_autocast_may_mix_dtypes():
    """Under autocast PyTorch casts, so the residual and the branch may have different dtypes."""
    x, weight = (torch.ones(4, 4) for _ in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        branch = torch_impl.ops.linear(x, weight)
        assert branch.dtype == torch.bfloat16
        assert torch_impl.ops.residual(x, branch).dtype == torch.float32
    with pytest.raises(TypeError, match="share one dtype"):
        torch_impl.ops.residual(x, branch)


# The check of a table's index reads its values on the CPU, which breaks the graph.
TRACED = {c.name: c for c in SMALL if c.name != "bias" and "table" not in c.inputs}


@pytest.mark.parametrize("case", TRACED.values(), ids=lambda case: case.id)
def test_the_gate_does_not_break_pytorchs_graph(case):
    torch.compiler.reset()
    call = getattr(torch_impl.ops, case.name)
    given = as_tensors(given_to(case))
    compiled = torch.compile(
        lambda **given: call(**given, **case.options), backend="eager", fullgraph=True
    )
    expected = first(call(**given, **case.options))
    assert torch.equal(first(compiled(**given)), expected)
