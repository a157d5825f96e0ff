"""The checks of every op's arguments: what plain NumPy, kernels and PyTorch refuse, with which error."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import numpy_ref

from . import budget
from .calls import (
    BACKWARDS,
    INDICES,
    NUMPY_SIDES,
    SIDES,
    SMALL,
    backward,
    cotangent,
    first,
    forward,
    given_to,
    misaligned,
    read_only,
    results,
)
from .process import ROOT

BY_CASE = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
BY_BACKWARD = pytest.mark.parametrize("case", BACKWARDS, ids=lambda case: case.id)
BY_SIDE = pytest.mark.parametrize("side", SIDES)
BY_NUMPY_SIDE = pytest.mark.parametrize("side", NUMPY_SIDES)


NO_FLOATS = {
    "integers": lambda a: a.astype(np.int64),
    "bool": lambda a: a > 0,
    "complex": lambda a: a.astype(np.complex64),
    "list": lambda a: a.tolist(),
    "number": lambda a: 1.0,
}
NO_NUMPY_FLOATS = {
    "masked": np.ma.masked_invalid,
    "byte_order": lambda a: a.astype(a.dtype.newbyteorder()),
    "half": lambda a: a.astype(np.float16),
    "long": lambda a: a.astype(np.longdouble),
    "objects": lambda a: a.astype(object),
}
NO_INTEGERS = {
    "bool": lambda a: a > 0,
    "floats": lambda a: a.astype(np.float32),
    "list": lambda a: a.tolist(),
    "number": lambda a: 0,
}


@BY_SIDE
@BY_CASE
def test_what_is_no_array_of_floats_is_a_type_error(case, side):
    given = given_to(case)
    for name in given.keys() - set(INDICES):
        spoils = NO_FLOATS | ({} if side == "torch" else NO_NUMPY_FLOATS)
        spoils = spoils | ({"other": lambda a: a.astype(np.float64)} if len(given) > 1 else {})
        for kind, spoil in spoils.items():
            if kind == "other" and case.name in ("cross_entropy", "bias"):
                continue  # only one of the arguments is floating
            with pytest.raises(TypeError, match=rf"\b{name}\b"):
                forward(side, case, given | {name: spoil(given[name])})
        signature = inspect.signature(getattr(numpy_ref.ops, f"{case.name}_forward"))
        if signature.parameters[name].default is inspect.Parameter.empty:
            with pytest.raises(TypeError, match=rf"\b{name}\b"):
                forward(side, case, given | {name: None})


@BY_SIDE
@pytest.mark.parametrize(
    "case", [c for c in SMALL if {*INDICES} & {*c.inputs}], ids=lambda case: case.id
)
def test_an_index_may_have_any_integer_dtype_and_nothing_else(case, side):
    """PyTorch would take uint8 for a mask, both would take bool for one, and NumPy would accept −1."""
    given = given_to(case)
    for name in {*INDICES} & given.keys():
        expected = first(forward(side, case, given))
        for dtype in (f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)):
            same = first(forward(side, case, given | {name: given[name].astype(dtype)}))
            np.testing.assert_array_equal(np.asarray(same), np.asarray(expected))
        masked = [] if side == "torch" else [np.ma.asarray]
        for spoil in [*NO_INTEGERS.values(), *masked]:
            with pytest.raises(TypeError, match=name.removeprefix("value_")):
                forward(side, case, given | {name: spoil(given[name])})
        high = getattr(case.inputs[name], "high", given[name].max() + 1)
        for bad in (-1, high, -100, -(2**62), 2**62, -(2**63)):  # PyTorch ignores the label −100
            wrong = given[name].copy()
            wrong.flat[-1] = bad
            if bad > 0 and case.name == "bias" and bad < len(given["table"]):
                continue
            with pytest.raises(ValueError, match=r"(index|labels) has entries"):
                forward(side, case, given | {name: wrong})


# Arguments whose last axis may have any length, since no other argument has the same axis.
FREE = {("bias", "table"), ("bias", "index"), ("attention", "v"), ("cross_entropy", "logits")}
FREE |= {("score_lookup", "index"), ("value_lookup", "embedding"), ("dropout", "x")}


@BY_SIDE
@pytest.mark.parametrize("case", [c for c in SMALL if len(c.inputs) > 1], ids=lambda case: case.id)
def test_a_shape_that_does_not_fit_is_a_value_error(case, side):
    given = given_to(case)
    for name, a in given.items():
        if (case.name, name) in FREE or a.shape[-1] == 1:
            continue
        with pytest.raises(ValueError, match=r"(has shape|images are)"):
            forward(side, case, given | {name: np.ascontiguousarray(a[..., :-1])})


def is_accelerated(case):
    """Return whether kernels compute the case; values with an embedding are left to plain NumPy."""
    accelerated = numpy_ref.kernels.ACCELERATED
    return f"{case.name}_forward" in accelerated and "value_embedding" not in case.inputs


@BY_NUMPY_SIDE
@BY_CASE
def test_what_is_only_read_may_lie_anyhow(case, side, tmp_path):
    """Strided, transposed, misaligned, read-only or memory-mapped arrays must give the same results."""

    def mapped(a):
        path = tmp_path / str(len(list(tmp_path.iterdir())))  # a new file, as others are still mapped
        a.tofile(path)
        return np.memmap(path, a.dtype, "r", shape=a.shape)

    layouts = [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a[..., ::-1].copy()[..., ::-1],
        misaligned,
        read_only,
        mapped,
        lambda a: a.astype(a.dtype.newbyteorder()) if a.dtype.kind == "i" else a,
    ]
    for dtype in ("float32", "float64"):
        given = given_to(case, dtype)
        expected = results(side, case, given)
        for layout in layouts:
            found = results(side, case, {n: layout(a) for n, a in given.items()}, layout)
            for one, other in zip(expected, found, strict=True):
                assert type(other) is np.ndarray
                if side == "kernels" and is_accelerated(case):
                    np.testing.assert_array_equal(one, other)
                elif dtype == "float64":  # BLAS rounds differently for transposed arrays
                    assert budget.float64("out", one, other).ok


@BY_NUMPY_SIDE
@BY_BACKWARD
def test_a_gradient_of_another_dtype_or_shape_is_refused(case, side):
    out, cache = forward(side, case, given_to(case))
    dout = cotangent(out)
    name = "dbias" if case.name == "score_lookup" else "dout"
    spoils = NO_FLOATS | NO_NUMPY_FLOATS | {"wide": lambda a: a.astype(np.float64)}
    for spoil in spoils.values():
        with pytest.raises(TypeError, match=name):
            backward(side, case, spoiled(dout, spoil), cache)
    for spoil in (lambda a: a[:-1], lambda a: a[None], lambda a: a[..., :0], lambda a: a[..., None]):
        with pytest.raises(ValueError, match=rf"{name}(\[\d\])? has shape"):
            backward(side, case, spoiled(dout, spoil), cache)


def spoiled(dout, spoil):
    return (dout[0], spoil(dout[1])) if isinstance(dout, tuple) else spoil(dout)


@BY_NUMPY_SIDE
@BY_BACKWARD
def test_a_cache_that_is_not_the_forwards_own_is_refused(case, side):
    other_side = "ops" if side == "kernels" else "kernels"
    other = next(c for c in BACKWARDS if c.name != case.name)
    (out, cache), given = forward(side, case, given_to(case)), given_to(case)
    strangers = [None, (), [], 0, cache.values, forward(side, other, given_to(other))[1]]
    accelerated = f"{case.name}_forward" in numpy_ref.kernels.ACCELERATED
    if accelerated and case.name != "attention":  # its kernel sometimes calls plain NumPy instead
        strangers.append(forward(other_side, case, given)[1])
    for stranger in strangers:
        with pytest.raises(TypeError, match="cache is"):
            backward(side, case, cotangent(out), stranger)


NO_ARRAYS_KEPT = ("mlp", "patch_merging", "patches", "residual", "window_partition", "window_reverse")


@BY_NUMPY_SIDE
@BY_BACKWARD
def test_a_cache_that_was_changed_is_refused(case, side):
    """Arrays in the cache with another dtype, shape or layout, and a missing one, must be noticed."""
    out, cache = forward(side, case, given_to(case))
    kept = cache.values
    changes = [lambda a: a.astype(np.float16), lambda a: a[None], lambda a: a[:-1]]
    changes += [lambda a: np.repeat(a, 2, -1)[..., ::2], lambda a: None, lambda a: a.tolist()]
    places = [n for n, value in enumerate(kept) if isinstance(value, np.ndarray) and value.ndim]
    assert places or case.name in NO_ARRAYS_KEPT
    for n in places:
        for change in changes:
            cache.values = (*kept[:n], change(kept[n]), *kept[n + 1 :])
            if kept[n].size:
                with pytest.raises(ValueError, match="cache"):
                    backward(side, case, cotangent(out), cache)
    cache.values = kept[:-1]
    with pytest.raises(ValueError, match="cache"):
        backward(side, case, cotangent(out), cache)


@pytest.mark.parametrize("op", ["gelu", "layer_norm", "linear", "relu"])
@BY_NUMPY_SIDE
def test_an_array_that_was_resized_after_forward_is_refused(op, side):
    case = next(c for c in SMALL if c.name == op)
    given = given_to(case)
    out, cache = forward(side, case, given)
    dout = cotangent(out)
    kept = next(value for value in cache.values if isinstance(value, np.ndarray))
    kept.resize((1,), refcheck=False)  # frees its memory
    with pytest.raises(ValueError, match="cache has arrays of another shape"):
        backward(side, case, dout, cache)


def test_five_axes_do_not_reach_cosines_loop():
    """The loop once wrote past an array's end; the call is made in a new process, as it may crash."""
    code = (
        "import numpy as np, numpy_ref.kernels as k\n"
        "q = np.ones((2, 2, 3, 500, 4), np.float32)\n"
        "try: k.cosine_forward(q, q, np.ones((2, 1, 1), np.float32))\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("q has shape (2, 2, 3, 500, 4), expected")


@BY_SIDE
@pytest.mark.parametrize(
    ("op", "options", "error"),
    [
        ("attention", {"scale": "1"}, TypeError),
        ("attention", {"scale": np.inf}, ValueError),
        ("attention", {"scale": True}, TypeError),
        ("attention", {"scale": np.ones(1)}, TypeError),
        ("layer_norm", {"eps": -1e-9}, ValueError),
        ("layer_norm", {"eps": np.nan}, ValueError),
        ("layer_norm", {"eps": None}, TypeError),
        ("layer_norm", {"eps": 10**400}, ValueError),
        ("cross_entropy", {"label_smoothing": 1.5}, ValueError),
        ("cross_entropy", {"label_smoothing": "0"}, TypeError),
        ("patches", {"patch_size": 0}, ValueError),
        ("patches", {"patch_size": (2, 2, 2)}, ValueError),
        ("patches", {"patch_size": 2.0}, TypeError),
        ("patches", {"patch_size": (True, 2)}, TypeError),
    ],
)
def test_a_number_out_of_its_range_is_refused(op, options, error, side):
    case = next(c for c in SMALL if c.name == op and not c.options.keys() - options.keys())
    with pytest.raises(error, match=next(iter(options))):
        forward(side, case, given_to(case), **options)


@BY_SIDE
@pytest.mark.parametrize("real", [np.float16, np.float32, np.float64, int, np.int8, np.uint64])
def test_a_number_may_be_of_any_real_type(real, side):
    case = next(c for c in SMALL if c.name == "attention" and not c.options)
    ours, pythons = (first(forward(side, case, given_to(case), scale=s)) for s in (real(2), 2.0))
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(pythons))


@BY_NUMPY_SIDE
@pytest.mark.parametrize(
    ("num_rows", "error"), [(-1, ValueError), (2.0, TypeError), (True, TypeError), (2**40, ValueError)]
)
def test_the_number_of_rows_is_a_natural_number(num_rows, error, side):
    arguments = np.ones((2, 3, 3), np.float32), np.zeros((3, 3), int)
    with pytest.raises(error, match="num_rows is"):
        SIDES[side].bias_backward(*arguments, num_rows)


@BY_NUMPY_SIDE
def test_an_index_that_was_changed_after_forward_is_refused(side):
    """Each op's backward that reads an index must check it again."""
    for case in SMALL:
        given = given_to(case)
        for name in {"index", "value_index"} & given.keys():
            if case.name == "bias":
                continue
            out, cache = forward(side, case, given)
            before = given[name].flat[0]
            for bad in (-1, case.inputs[name].high):
                given[name].flat[0] = bad
                with pytest.raises(ValueError, match="index has entries"):
                    backward(side, case, cotangent(out), cache)
            given[name].flat[0] = before
