"""The checks of modules: options at their limits, and states that do not fit the module."""

import inspect

import numpy as np
import pytest

import numpy_ref
import numpy_ref.nn
import torch_impl.nn

from .both import TWINS, array, filled

INDEX = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])


@TWINS
def test_the_largest_option_is_taken_and_one_more_is_not(twin):
    largest = 2**31 - 1
    assert twin.RelativePositionBias(2, 4, "t5", max_distance=largest)
    with pytest.raises(ValueError, match=f"max_distance is {largest + 1}, expected at most {largest}"):
        twin.RelativePositionBias(2, 4, "t5", max_distance=largest + 1)


def custom(twin, index):
    return filled(twin, 2, 3, "custom", index=index)


@TWINS
@pytest.mark.parametrize("dtype", [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)])
def test_an_index_may_have_any_integer_dtype(twin, dtype):
    (found, _), (expected, _) = (custom(twin, index) for index in (INDEX.astype(dtype), INDEX))
    np.testing.assert_array_equal(array(found()), array(expected()))


@TWINS
@pytest.mark.parametrize("entry", [2**63, 2**64 - 1])
def test_an_entry_that_no_int64_holds_is_named(twin, entry):
    index = INDEX.astype(np.uint64)
    index[1, 2] = entry
    with pytest.raises(ValueError, match=rf"index has the entry {entry}\b"):
        custom(twin, index)


FLAGS = [
    (bias_type, option.name)
    for bias_type, scheme in numpy_ref.SCHEMES.items()
    for option in inspect.signature(scheme).parameters.values()
    if isinstance(option.default, bool)
]


@TWINS
@pytest.mark.parametrize(("bias_type", "flag"), FLAGS)
def test_a_schemes_flag_is_true_or_false(twin, bias_type, flag):
    head_dim = inspect.signature(numpy_ref.SCHEMES[bias_type]).parameters.get("head_dim")
    options = {"head_dim": 4} if head_dim and head_dim.default is head_dim.empty else {}
    for value in (True, False):
        assert twin.RelativePositionBias(2, 4, bias_type, **options, **{flag: value})
    for no_bool in (1, 0, np.True_, "yes", None):
        with pytest.raises(TypeError, match=rf"{flag} is .*, expected True or False"):
            twin.RelativePositionBias(2, 4, bias_type, **options, **{flag: no_bool})


@pytest.mark.parametrize("nn", [numpy_ref.nn, torch_impl.nn], ids=["numpy", "torch"])
@pytest.mark.parametrize("no_bool", [1, 0, np.True_, "yes", None])
def test_a_linear_layers_bias_is_true_or_false(nn, no_bool):
    with pytest.raises(TypeError, match=r"bias is .*, expected True or False"):
        nn.Linear(2, 3, bias=no_bool)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("qkv.weight"), r"missing \['qkv.weight'\]"),
        (lambda state: state.update(extra=np.ones(1)), r"unexpected \['extra'\]"),
        (lambda state: state.update({"qkv.weight": np.ones((1, 1))}), r"qkv.weight has shape \(1, 1\)"),
        (lambda state: state.update({"proj.bias": np.ones(1)}), r"proj.bias has shape \(1,\)"),
    ],
)
def test_a_state_that_is_not_the_modules_changes_nothing(spoil, message):
    """A wrong array is refused even if it would broadcast, and before any other array is loaded."""
    module = numpy_ref.MultiHeadAttention(4, 2, rpb_kwargs={"window_size": 4})
    before = module.state_dict()
    state = {name: a + 1 for name, a in before.items()}
    spoil(state)
    with pytest.raises(ValueError, match=message):
        module.load_state_dict(state)
    for name, a in module.state_dict().items():
        np.testing.assert_array_equal(a, before[name])
