"""Helpers of the tests of the trainer's arguments and of its state."""

import fractions

import numpy as np

NAN, INF = float("nan"), float("inf")
NO_NUMBER = ("1", None, True, 1j, [1.0], np.array(1.0), object())
NO_INT = ("1", None, True, 1.0, NAN, np.float32(1), fractions.Fraction(1))


def no_number(*outside):
    """Return [(value, error)] of values that are no number, NaN, and the numbers in `outside`."""
    return [(value, TypeError) for value in NO_NUMBER] + [(v, ValueError) for v in (NAN, *outside)]


def no_int(*outside):
    """Return [(value, error)] of values that are no integer, and the integers in `outside`."""
    return [(value, TypeError) for value in NO_INT] + [(value, ValueError) for value in outside]


def assert_refused(call, name, pairs):
    """Assert that call(value) raises exactly `error` for each pair, with the message "<name> is …"."""
    for value, error in pairs:
        try:
            call(value)
        except Exception as raised:
            assert type(raised) is error, (value, raised)
            assert str(raised).startswith(f"{name} is "), (value, raised)
        else:
            raise AssertionError(f"{name} {value!r} was accepted")


def model_of(twin, **options):
    small = {"img_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2}
    return twin.VisionTransformer(**small | {"generator": np.random.default_rng(0)} | options)


def trainer_of(twin, model=None, **options):
    defaults = {"lr": 1e-3, "total_steps": 10, "device": "cpu"}
    return twin.Trainer(model_of(twin) if model is None else model, **defaults | options)


def batch():
    return np.random.default_rng(1).standard_normal((4, 1, 8, 8), np.float32), np.arange(4)


def assert_unchanged(trainer, arrays, progress):
    """Assert that the trainer's state is (arrays, progress), as its `state_dict` returned it before."""
    after, after_progress = trainer.state_dict()
    assert after_progress == progress
    for name, before in arrays.items():
        np.testing.assert_array_equal(after[name], before, err_msg=name)
