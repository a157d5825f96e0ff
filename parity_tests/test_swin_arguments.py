"""Bad arguments of Swin's models, windows and gradients raise errors that name them."""

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, normal, tensor
from .test_swin import SMALL, window_op


@TWINS
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"version": 3}, ValueError, "version is 3, expected 1 or 2"),
        ({"version": True}, ValueError, "version is True"),
        ({"depths": 2}, TypeError, "depths is 2, expected a sequence of integers"),
        ({"depths": ()}, ValueError, r"depths is \(\)"),
        ({"depths": (2, 0)}, ValueError, "depths is 0"),
        ({"num_heads": (2, 4, 8)}, ValueError, r"num_heads is \(2, 4, 8\), expected 2 integers"),
        ({"num_heads": (3, 4)}, ValueError, "embed_dim 8 is not divisible by num_heads 3"),
        ({"num_classes": -1}, ValueError, "num_classes is -1"),
        ({"window_size": 0}, ValueError, "window_size is 0"),
        ({"window_size": (2, 2, 2)}, ValueError, r"window_size is \(2, 2, 2\)"),
        ({"img_size": (12, 15)}, ValueError, "not divisible by patch_size"),
        ({"drop_path_rate": 1}, ValueError, "drop_path_rate is 1"),
        ({"drop_rate": -0.5}, ValueError, r"rate is -0\.5"),
        ({"pretrained_window_sizes": (6, 6)}, ValueError, "but version is 1"),
        ({"version": 2, "pretrained_window_sizes": (6,)}, ValueError, "expected 2, one per stage"),
        ({"version": 2, "pretrained_window_sizes": 6}, TypeError, "pretrained_window_sizes is 6"),
        (
            {"version": 2, "pretrained_window_sizes": (6, -1)},
            ValueError,
            "pretrained_window_sizes is -1",
        ),
        ({"rpb_kwargs": {"bias_type": "2.5d"}}, ValueError, "bias_type is '2.5d'"),
        (
            {"rpb_kwargs": {"window_size": (7, 7)}},
            ValueError,
            r"has window_size \(7, 7\), the block has",
        ),
        ({"rpb_kwargs": "2d"}, TypeError, "rpb_kwargs is '2d'"),
        (
            {"use_relative_position": False, "rpb_kwargs": {"bias_type": "2d"}},
            ValueError,
            "but use_relative_position is False",
        ),
        ({"out_indices": (0,)}, ValueError, "but features_only is False"),
        ({"features_only": True, "out_indices": (1, 0)}, ValueError, "expected ascending ones below 2"),
        ({"features_only": True, "out_indices": (2,)}, ValueError, "expected ascending ones below 2"),
        ({"features_only": True, "out_indices": ()}, ValueError, "expected ascending ones below 2"),
        ({"features_only": True, "out_indices": 1}, TypeError, "out_indices is 1"),
        ({"norm_eps": -1}, ValueError, "eps is -1"),
    ],
)
def test_bad_arguments_are_named(twin, options, error, message):
    with pytest.raises(error, match=message):
        twin.SwinTransformer(**SMALL | options)


@TWINS
@pytest.mark.parametrize(
    ("op", "arguments", "error", "message"),
    [
        ("partition", (0, 0), ValueError, "window_size is 0"),
        ("partition", ((2, 3, 4), 0), ValueError, r"window_size is \(2, 3, 4\)"),
        ("partition", (2, 2), ValueError, r"shift_size is 2, expected less than the window \(2, 2\)"),
        ("partition", ((2, 3), (1, 3)), ValueError, r"shift_size is \(1, 3\), expected less than"),
        ("partition", (2, -1), ValueError, "shift_size is -1"),
        ("partition", (2, 0.5), TypeError, r"shift_size is 0\.5"),
        ("partition", (2, True), TypeError, "shift_size is True"),
        ("reverse", ((4, 6), 3), ValueError, r"windows has shape \(6, 4, 5\), expected \(any, 9, any\)"),
        ("reverse", ((4, 4), 2), ValueError, r"a map of \(4, 4\) has 4 windows"),
        ("reverse", ((4, 0), 2), ValueError, "size is 0"),
        ("reverse", ((4, 6, 1), 2), ValueError, r"size is \(4, 6, 1\)"),
    ],
)
def test_bad_windows_are_named(twin, op, arguments, error, message):
    x = tensor(twin, np.zeros((1, 4, 6, 5) if op == "partition" else (6, 4, 5), np.float32))
    with pytest.raises(error, match=message):
        window_op(twin, f"window_{op}")(x, *arguments)


@TWINS
def test_a_residual_of_another_shape_is_named(twin):
    windows, residual = (tensor(twin, np.zeros(s, np.float32)) for s in ((6, 4, 5), (1, 4, 6, 4)))
    with pytest.raises(ValueError, match=r"residual has shape \(1, 4, 6, 4\), expected \(1, 4, 6, 5\)"):
        window_op(twin, "window_reverse")(windows, (4, 6), 2, 0, residual)


@pytest.mark.parametrize("bad", [None, [], [np.zeros((2, 6, 8, 8), np.float32)] * 2])
def test_gradients_of_other_features_are_named(bad):
    model = numpy_ref.SwinTransformer(**SMALL, features_only=True, out_indices=(1,))
    model(normal(2, 1, 12, 16).astype(np.float32))
    with pytest.raises(TypeError, match=r"dout is a .*, expected a list of 1 arrays"):
        model.backward(bad)


def test_a_gradient_of_another_map_is_named():
    model = numpy_ref.SwinTransformer(**SMALL, features_only=True, out_indices=(1,))
    model(normal(2, 1, 12, 16).astype(np.float32))
    with pytest.raises(
        ValueError, match=r"dout\[0\] has shape \(2, 6, 8, 8\), expected \(2, 3, 4, 16\)"
    ):
        model.backward([np.zeros((2, 6, 8, 8), np.float32)])
